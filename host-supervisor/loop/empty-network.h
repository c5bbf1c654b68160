#pragma once

#include <kj/string.h>

namespace bothy {

// Moves the calling thread, and what it starts from now on, into a new network namespace that has nothing but a loopback
// device that is down (S20).  Unix sockets in the file system are reached as before, abstract ones of others are not.  The
// namespace goes with the last thread or process in it.  Needs CAP_SYS_ADMIN.
void enterEmptyNetwork();

// Throws what enterEmptyNetwork() throws, for a caller whose unshare(2) has failed with `error`.  `program`: who was to start
// there.
[[noreturn]] void failOfEmptyNetwork(int error, kj::StringPtr program);

}  // namespace bothy
