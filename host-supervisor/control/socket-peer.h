#pragma once

namespace bothy {

// The other end of a connected Unix socket, by the kernel's table of sockets (sock_diag(7)): it knows that also of one that was shut
// down here.
enum class SocketPeer {
  OPEN,
  CLOSED,
  UNTELLABLE,  // it is another socket, or the kernel does not say
  UNASKED,     // no file or memory is left to ask by: ask again
};

// The kernel goes through the Unix sockets of the network namespace: not to be asked without a pace.
SocketPeer peerOf(int socket);

}  // namespace bothy
