#include "boot/boot-secret.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>

#include "boot/failure.h"
#include "schema/limits.capnp.h"

namespace bothy {

kj::Array<const kj::byte> readSecret(int fd) {
  kj::byte buffer[rpc::SECRET_BYTES + 1];
  auto n = kj::FdInputStream(fd).tryRead(buffer, sizeof(buffer), sizeof(buffer));
  if (n != rpc::SECRET_BYTES) {
    failStage(kj::str("the secret is not ", uint32_t(rpc::SECRET_BYTES), " bytes long"));
  }
  return kj::heapArray<const kj::byte>(buffer, n);
}

kj::Array<const kj::byte> readBootSecret(const char* path) {
  int fd;
  fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    failCall(kj::str("no secret from the supervisor in ", path));
  }
  kj::AutoCloseFd file(fd);
  return readSecret(file.get());
}

}  // namespace bothy
