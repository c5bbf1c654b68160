#include "vm/machine-files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <kj/io.h>

namespace bothy {
namespace {

void giveDisk(kj::StringPtr path, uint32_t user, uint32_t group) {
  int fd;
  KJ_SYSCALL(fd = open(path.cStr(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), path);
  kj::AutoCloseFd disk(fd);
  struct stat stats;
  KJ_SYSCALL(fstat(disk, &stats));
  KJ_REQUIRE(S_ISREG(stats.st_mode) || S_ISBLK(stats.st_mode), "a data disk is a file or a device",
             path);
  KJ_SYSCALL(fchown(disk, user, group), path);
  KJ_SYSCALL(fchmod(disk, 0600), path);
}

}  // namespace

void MachineFiles::prepare(const VmSpec& spec, uint32_t group) const {
  KJ_REQUIRE(deviceSocket().size() < sizeof(sockaddr_un::sun_path),
             "the path of the runtime directory is too long for a socket", runtimeDir);
  int fd;
  KJ_SYSCALL(fd = open(runtimeDir.cStr(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW),
             runtimeDir);
  kj::AutoCloseFd directory(fd);
  KJ_SYSCALL(fchown(directory, 0, group));
  KJ_SYSCALL(fchmod(directory, 0710));

  if (mkdirat(directory, "vsock", 0700) < 0 && errno != EEXIST) KJ_FAIL_SYSCALL("mkdir", errno);
  int vsockFd;
  KJ_SYSCALL(vsockFd = openat(directory, "vsock", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  kj::AutoCloseFd vsock(vsockFd);
  KJ_SYSCALL(fchown(vsock, spec.uid, group));
  KJ_SYSCALL(fchmod(vsock, 0700));

  removeSecret();
  int secretFd;
  KJ_SYSCALL(secretFd = openat(directory, "secret", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400));
  kj::AutoCloseFd secretFile(secretFd);
  kj::FdOutputStream(secretFile.get()).write(spec.secret.begin(), spec.secret.size());
  KJ_SYSCALL(fchown(secretFile, spec.uid, group));

  giveDisk(spec.dataDisk, spec.uid, group);
}

void makePrivate(kj::StringPtr path) {
  KJ_SYSCALL(fchmodat(AT_FDCWD, path.cStr(), 0600, AT_SYMLINK_NOFOLLOW), path);
}

void MachineFiles::removeSecret() const {
  if (unlink(secret().cStr()) < 0 && errno != ENOENT) KJ_FAIL_SYSCALL("unlink", errno);
}

void MachineFiles::removeAll() const {
  auto fs = kj::newDiskFilesystem();
  auto path = fs->getCurrentPath().evalNative(runtimeDir);
  KJ_IF_MAYBE (directory, fs->getRoot().tryOpenSubdir(path, kj::WriteMode::MODIFY)) {
    for (auto& name : (*directory)->listNames()) (*directory)->remove(kj::Path(kj::str(name)));
  }
}

}  // namespace bothy
