#include "rpc/socket-receiver.h"

#include <kj/debug.h>

#include "wire/socket-stream.h"

namespace bothy {

kj::Promise<kj::Own<kj::AsyncIoStream>> SocketReceiver::accept() {
  auto accepted = co_await inner->accept();
  int fd = KJ_REQUIRE_NONNULL(accepted->getFd(), "what was accepted is no socket");
  // A stream of KJ's does not release its descriptor.
  co_return kj::heap<SocketStream>(eventPort, duplicateSocket(fd));
}

}  // namespace bothy
