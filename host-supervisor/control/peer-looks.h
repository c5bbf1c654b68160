#pragma once

#include <kj/async.h>
#include <kj/timer.h>

#include "control/socket-peer.h"
#include "loop/slots.h"
#include "loop/worker-thread.h"

namespace bothy {

// Looks at the other ends of sockets, see peerOf().
class PeerLooks {
public:
  // `socket` may be closed meanwhile.  Never fails but where peerOf() does.
  virtual kj::Promise<SocketPeer> peerOf(int socket) = 0;
};

// On a thread, one after the other: what a look takes grows with the Unix sockets of the host, of which every user makes as many as he
// likes, and another who asks the kernel about sockets may have it wait.
class ThreadPeerLooks final: public PeerLooks {
public:
  // `look` is called on the thread.
  explicit ThreadPeerLooks(kj::Timer& timer, SocketPeer (*look)(uint32_t inode) = peerOfUnix)
      : look(look), worker(timer, "peers of sockets") {}

  kj::Promise<SocketPeer> peerOf(int socket) override;

private:
  SocketPeer (*const look)(uint32_t inode);
  // So that no more than one waits in the thread's own queue, which is bounded.
  Slots turn{1};
  WorkerThread worker;
};

}  // namespace bothy
