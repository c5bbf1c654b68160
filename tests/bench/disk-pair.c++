#include "bench/disk-pair.h"

#include <fcntl.h>
#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <stdlib.h>
#include <unistd.h>

#include "keys/message-code.h"
#include "secret/random-bytes.h"
#include "support/host-program.h"
#include "volume/encrypted-volume-store.h"

namespace bothy {

DiskPair::DiskPair(uint64_t bytes) {
  KJ_REQUIRE(mkdtemp(path) != nullptr, path);
  KJ_ON_SCOPE_FAILURE(remove());
  make(bytes);
}

DiskPair::~DiskPair() noexcept {
  remove();
}

void DiskPair::make(uint64_t bytes) {
  auto io = kj::setupAsyncIo();
  EncryptedVolumeStore store(io.provider->getTimer(), kj::str(path, "/volumes"), &messageCode);
  Secret key(32);
  fillRandom(key.bytes());
  store.create("disk", bytes, key.clone()).wait(io.waitScope);

  int raw;
  KJ_SYSCALL(raw = open(kj::str(path, "/key").cStr(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  kj::FdOutputStream file((kj::AutoCloseFd(raw)));
  auto digits = hexadecimal(key);
  file.write(digits.bytes().begin(), digits.bytes().size());

  hostOutput({"qemu-img"_kj, "create"_kj, "-q"_kj, "-f"_kj, "qcow2"_kj,
              kj::str(path, "/plain.qcow2"), kj::str(bytes)});
}

void DiskPair::remove() noexcept {
  kj::runCatchingExceptions(
      [&]() { hostOutput({"/bin/rm"_kj, "-rf"_kj, "--one-file-system"_kj, kj::StringPtr(path)}); });
}

kj::String DiskPair::secret() const {
  return kj::str("secret,id=k,file=", path, "/key");
}

kj::String DiskPair::options(Disk disk) const {
  switch (disk) {
    case Disk::PLAIN:
      return kj::str("driver=qcow2,file.filename=", path, "/plain.qcow2");
    case Disk::ENCRYPTED:
      return kj::str("driver=qcow2,encrypt.format=luks,encrypt.key-secret=k,file.filename=", path,
                     "/volumes/disk.qcow2");
  }
  KJ_UNREACHABLE;
}

}  // namespace bothy
