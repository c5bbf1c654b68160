#pragma once

#include <kj/array.h>
#include <kj/string.h>
#include <kj/vector.h>

namespace bothy {

// Finds the key sequence that leaves a terminal in what is typed.  What might begin the sequence is held
// until the next key decides; its first key typed twice is sent once.
class DetachKeys final {
public:
  // "ctrl-],." : keys between commas, each a character or "ctrl-" and one of a-z @ [ \ ] ^ _.  "none":
  // there is no such sequence.  nullptr if `text` is neither.
  static kj::Maybe<DetachKeys> parse(kj::StringPtr text);
  static constexpr kj::StringPtr DEFAULT = "ctrl-],."_kj;

  struct Result {
    kj::Array<kj::byte> input;  // what goes to the terminal
    bool detach;                // what follows the sequence is dropped
  };
  Result filter(kj::ArrayPtr<const kj::byte> typed);

  // For people: "Ctrl-] then .".  Empty: none.
  kj::String describe() const;

private:
  explicit DetachKeys(kj::Array<kj::byte> sequence);

  kj::Array<kj::byte> sequence;
  size_t matched = 0;
};

}  // namespace bothy
