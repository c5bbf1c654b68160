#include "vm/vsock-device.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("P09 a socket that is bound is not taken for one that can be connected to") {
  char directory[] = "/tmp/bothy-device-XXXXXX";
  KJ_ASSERT(mkdtemp(directory) != nullptr);
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  auto path = kj::str(directory, "/device");
  memcpy(address.sun_path, path.begin(), path.size());
  KJ_DEFER(unlink(path.cStr()); rmdir(directory));
  int fd;
  KJ_SYSCALL(fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  kj::AutoCloseFd socket(fd);
  CHECK_FALSE(isListening(getpid(), path));
  KJ_SYSCALL(bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)));
  CHECK_FALSE(isListening(getpid(), path));
  KJ_SYSCALL(listen(socket, 1));
  CHECK(isListening(getpid(), path));
  CHECK_FALSE(isListening(getpid(), kj::str(path, "s")));
  CHECK_FALSE(isListening(getpid(), path.slice(1)));
}

}  // namespace
}  // namespace bothy
