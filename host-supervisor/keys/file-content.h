#pragma once

#include <kj/array.h>
#include <kj/string.h>

namespace bothy {

// Says that a file cannot be used, and why.  FAILED; nothing is changed.
[[noreturn]] void refuseFile(kj::StringPtr path, kj::StringPtr why);

// All of it, from where the descriptor stands.  OVERLOADED, naming `path`, where there is no space.
void writeAll(int fd, kj::ArrayPtr<const kj::byte> content, kj::StringPtr path);

}  // namespace bothy
