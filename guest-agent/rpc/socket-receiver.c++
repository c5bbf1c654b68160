#include "rpc/socket-receiver.h"

#include <fcntl.h>
#include <kj/debug.h>

#include "wire/socket-stream.h"

namespace bothy {

kj::Promise<kj::Own<kj::AsyncIoStream>> SocketReceiver::accept() {
  auto accepted = co_await inner->accept();
  int fd = KJ_REQUIRE_NONNULL(accepted->getFd(), "what was accepted is no socket");
  // KJ's stream gives its own back to nobody.
  int copy;
  KJ_SYSCALL(copy = fcntl(fd, F_DUPFD_CLOEXEC, 0));
  co_return kj::heap<SocketStream>(eventPort, kj::AutoCloseFd(copy));
}

}  // namespace bothy
