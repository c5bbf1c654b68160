#pragma once

#include <kj/string.h>

namespace bothy {

// The last line that somebody has said, as it grows: at most rpc::MAX_SETUP_LINE_BYTES of it, and no empty one.  A carriage return ends a line
// too, as progress bars have it.
class LastLine final {
public:
  void add(kj::ArrayPtr<const kj::byte> bytes);
  // UTF-8 or not; without control characters, each of which is a space.
  kj::StringPtr text() const { return shown; }

private:
  kj::String shown;
  kj::String growing;
};

}  // namespace bothy
