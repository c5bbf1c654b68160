#pragma once

#include <kj/array.h>

namespace bothy {

// What a control sequence that a terminal sends ("ESC [ ... final") means as typed.
struct TypedKey {
  enum class Kind {
    KEY,     // a key that a terminal without encodings sends as one byte, which is `byte`
    QUIET,   // a key that goes up, or one that only changes others (Shift, Caps Lock)
    REPORT,  // no key: the mouse, the focus, an answer of the terminal
    OTHER,   // any other key
  };
  Kind kind;
  kj::byte byte = 0;
};

// Knows what programs can ask terminals for: xterm's modifyOtherKeys in both of its formats, kitty's keyboard
// protocol with all its flags, and keys as Windows has them.
TypedKey decodeKey(kj::ArrayPtr<const kj::byte> sequence);

}  // namespace bothy
