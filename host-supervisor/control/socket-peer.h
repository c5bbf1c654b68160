#pragma once

#include <kj/common.h>
#include <stdint.h>

namespace bothy {

// The other end of a connected Unix socket, by the kernel's table of sockets (sock_diag(7)): it knows that also of one that was shut
// down here.
enum class SocketPeer {
  OPEN,
  CLOSED,
  UNTELLABLE,  // it is another socket, or the kernel does not say
  UNASKED,     // no file or memory is left to ask by: ask again
};

// The kernel goes through the Unix sockets of the network namespace: not to be asked without a pace, nor on an event loop.
SocketPeer peerOf(int socket);

// The same by what the kernel's table calls the socket; null if it is none of Unix.  This part costs nothing.
kj::Maybe<uint32_t> unixInode(int socket);
SocketPeer peerOfUnix(uint32_t inode);

}  // namespace bothy
