#include "control/peer-looks.h"

namespace bothy {

kj::Promise<SocketPeer> ThreadPeerLooks::peerOf(int socket) {
  const auto inode = unixInode(socket);
  if (inode == nullptr) co_return SocketPeer::UNTELLABLE;
  auto slot = co_await turn.take();
  co_return co_await worker.run(
      [look = look, inode = KJ_ASSERT_NONNULL(inode)]() { return look(inode); });
}

}  // namespace bothy
