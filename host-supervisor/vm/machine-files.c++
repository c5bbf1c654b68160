#include "vm/machine-files.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>

#include "loop/tree-removal.h"

namespace bothy {
namespace {

// A vsock device is not in the group of the directory, and where machines share one neither is QEMU: by an ACL they pass all the same.
void letUserPass(int directory, uint32_t user) {
  struct {
    posix_acl_xattr_header header;
    posix_acl_xattr_entry entries[5];
  } acl{{htole32(POSIX_ACL_XATTR_VERSION)},
        {{htole16(ACL_USER_OBJ), htole16(ACL_READ | ACL_WRITE | ACL_EXECUTE),
          htole32(ACL_UNDEFINED_ID)},
         {htole16(ACL_USER), htole16(ACL_EXECUTE), htole32(user)},
         {htole16(ACL_GROUP_OBJ), htole16(ACL_EXECUTE), htole32(ACL_UNDEFINED_ID)},
         {htole16(ACL_MASK), htole16(ACL_EXECUTE), htole32(ACL_UNDEFINED_ID)},
         {htole16(ACL_OTHER), 0, htole32(ACL_UNDEFINED_ID)}}};
  KJ_SYSCALL(fsetxattr(directory, "system.posix_acl_access", &acl, sizeof(acl), 0));
}

}  // namespace

void MachineFiles::prepare(const VmSpec& spec) const {
  KJ_REQUIRE(deviceSocket().size() < sizeof(sockaddr_un::sun_path),
             "the path of the runtime directory is too long for a socket", runtimeDir);
  int fd;
  KJ_SYSCALL(fd = open(runtimeDir.cStr(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW),
             runtimeDir);
  kj::AutoCloseFd directory(fd);
  KJ_SYSCALL(fchown(directory, 0, spec.uid));
  KJ_SYSCALL(fchmod(directory, 0710));
  letUserPass(directory, spec.uid);

  if (mkdirat(directory, "vsock", 0711) < 0 && errno != EEXIST) KJ_FAIL_SYSCALL("mkdir", errno);
  int vsockFd;
  KJ_SYSCALL(vsockFd = openat(directory, "vsock", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  kj::AutoCloseFd vsock(vsockFd);
  KJ_SYSCALL(fchown(vsock, 0, 0));
  KJ_SYSCALL(fchmod(vsock, 0711));

  removeSecret();
  int secretFd;
  KJ_SYSCALL(secretFd = openat(directory, "secret", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400));
  kj::AutoCloseFd secretFile(secretFd);
  kj::FdOutputStream(secretFile.get()).write(spec.secret.begin(), spec.secret.size());
  KJ_SYSCALL(fchown(secretFile, spec.uid, spec.uid));
}

void makePrivate(kj::StringPtr path) {
  KJ_SYSCALL(fchmodat(AT_FDCWD, path.cStr(), 0600, AT_SYMLINK_NOFOLLOW), path);
}

void MachineFiles::removeSecret() const {
  if (unlink(secret().cStr()) < 0 && errno != ENOENT) KJ_FAIL_SYSCALL("unlink", errno);
}

void MachineFiles::removeAll() const {
  emptyDirectory(runtimeDir);
}

}  // namespace bothy
