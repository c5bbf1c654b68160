#include "vm/machine-socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <kj/debug.h>
#include <kj/io.h>

namespace bothy {
namespace {

constexpr kj::uint WRAP_FLAGS =
    kj::LowLevelAsyncIoProvider::ALREADY_CLOEXEC | kj::LowLevelAsyncIoProvider::ALREADY_NONBLOCK;

kj::AutoCloseFd newUnixSocket() {
  int fd;
  KJ_SYSCALL(fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  return kj::AutoCloseFd(fd);
}

// A Unix socket is connected at once, or not at all.
void connectTo(int fd, kj::StringPtr path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  KJ_REQUIRE(path.size() < sizeof(address.sun_path), "the socket's path is too long", path);
  memcpy(address.sun_path, path.cStr(), path.size() + 1);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) < 0) {
    const int error = errno;
    kj::throwFatalException(
        KJ_EXCEPTION(DISCONNECTED, "the socket cannot be reached", path, strerror(error)));
  }
}

}  // namespace

kj::Own<DescriptorFilter> connectToMachine(kj::LowLevelAsyncIoProvider& io, kj::StringPtr path,
                                           uint32_t user) {
  auto socket = newUnixSocket();
  // From the connect on, whoever answers may make the last close last.
  auto closedLast = SharedFd::duplicateOf(socket, user);
  connectTo(socket, path);
  auto plain = io.wrapUnixSocketFd(kj::mv(socket), WRAP_FLAGS);
  return kj::heap<DescriptorFilter>(kj::mv(plain), user);
}

}  // namespace bothy
