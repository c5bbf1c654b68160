#pragma once

#include <kj/common.h>

namespace bothy {

// Whether the other end of a connected Unix socket is still open, by the kernel's table of sockets (sock_diag(7)): it
// knows that also of one that was shut down here.  None of any other socket, and where the kernel does not say.
// The kernel goes through the Unix sockets of the network namespace: not to be asked without a pace.
kj::Maybe<bool> hasPeer(int socket);

}  // namespace bothy
