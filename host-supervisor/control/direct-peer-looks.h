#pragma once

#include "control/peer-looks.h"

namespace bothy {

// For tests in virtual time: at once, on the thread that asks.
class DirectPeerLooks final: public PeerLooks {
public:
  kj::Promise<SocketPeer> peerOf(int socket) override { return bothy::peerOf(socket); }
};

}  // namespace bothy
