#include "boot/root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "boot/failure.h"
#include "boot/machine-file.h"
#include "boot/mount-table.h"

namespace bothy {
namespace {

constexpr kj::uint MAX_INITRAMFS_DEPTH = 16;

// Removes what lies in `directory` on the same file system.  What cannot be removed stays: it costs
// memory, not correctness.
void removeContents(kj::AutoCloseFd directory, dev_t device, kj::uint depth) {
  if (depth == 0) {
    return;
  }
  DIR* entries = ::fdopendir(::dup(directory.get()));
  if (entries == nullptr) {
    return;
  }
  KJ_DEFER(::closedir(entries));
  while (auto entry = ::readdir(entries)) {
    kj::StringPtr name = entry->d_name;
    if (name == "." || name == "..") {
      continue;
    }
    if (::unlinkat(directory.get(), entry->d_name, 0) == 0 || errno != EISDIR) {
      continue;
    }
    int fd =
        ::openat(directory.get(), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat info;
    if (fd >= 0) {
      kj::AutoCloseFd child(fd);
      if (::fstat(child.get(), &info) == 0 && info.st_dev == device) {
        removeContents(kj::mv(child), device, depth - 1);
      }
    }
    ::unlinkat(directory.get(), entry->d_name, AT_REMOVEDIR);
  }
}

// Writes "/" to its disk: the overlay's upper layer, which is all of the data disk.
void syncRoot() {
  int fd = ::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    kj::AutoCloseFd root(fd);
    ::syncfs(root.get());
  }
}

}  // namespace

bool isInitramfs() {
  struct statfs info;
  KJ_SYSCALL(::statfs("/", &info));
  return info.f_type == RAMFS_MAGIC || info.f_type == TMPFS_MAGIC;
}

void mountImage() {
  ensureDirectory(IMAGE_MOUNT);
  if (::mount(IMAGE_DEVICE.cStr(), IMAGE_MOUNT.cStr(), "erofs", MS_RDONLY | MS_NOATIME, "") < 0) {
    failCall(kj::str("the image on ", IMAGE_DEVICE, " cannot be mounted"));
  }
}

DiskState mountData() {
  ensureDirectory(DATA_MOUNT, 0700);
  auto state = mountDataDisk(DATA_DEVICE, DATA_MOUNT, IMAGE_MOUNT);
  if (!state.is<DiskReady>()) {
    mountMemoryForData();
  }
  return state;
}

void mountRoot() {
  auto upper = kj::str(DATA_MOUNT, "/upper");
  auto work = kj::str(DATA_MOUNT, "/work");
  ensureDirectory(upper);
  ensureDirectory(work);
  ensureDirectory(ROOT_MOUNT);
  // redirect_dir: a directory of the image can be renamed, as on any other file system.  xino: all of it has one st_dev, which
  // `du -x`, `find -xdev` and their like go by.
  auto options = kj::str("lowerdir=", IMAGE_MOUNT, ",upperdir=", upper, ",workdir=", work,
                         ",redirect_dir=on,metacopy=off,xino=on");
  if (::mount("root", ROOT_MOUNT.cStr(), "overlay", MS_NOATIME, options.cStr()) < 0) {
    failCall("image and data disk cannot be joined into a root");
  }
}

kj::AutoCloseFd switchRoot() {
  int fd;
  KJ_SYSCALL(fd = ::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  kj::AutoCloseFd initramfs(fd);
  struct stat info;
  KJ_SYSCALL(::fstat(initramfs.get(), &info));
  KJ_SYSCALL(fd = ::open(DATA_MOUNT.cStr(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  kj::AutoCloseFd data(fd);

  for (auto source : MOVED_MOUNTS) {
    auto target = kj::str(ROOT_MOUNT, source);
    // Root of the workspace may have put a link there, which would lead us elsewhere.
    ensureDirectory(target);
    KJ_SYSCALL(::mount(source, target.cStr(), nullptr, MS_MOVE, nullptr), target);
  }
  // The mounts of image and data stay below the initramfs, where no path leads: a process of the guest
  // cannot write to the overlay's layers behind its back.
  KJ_SYSCALL(::chdir(ROOT_MOUNT.cStr()));
  KJ_SYSCALL(::mount(".", "/", nullptr, MS_MOVE, nullptr));
  KJ_SYSCALL(::chroot("."));
  KJ_SYSCALL(::chdir("/"));
  // As systemd has it: containers ask for mounts that are shared with the machine's.
  KJ_SYSCALL(::mount(nullptr, "/", nullptr, MS_SHARED | MS_REC, nullptr));
  removeContents(kj::mv(initramfs), info.st_dev, MAX_INITRAMFS_DEPTH);
  return data;
}

void mountMemoryForData() {
  KJ_SYSCALL(::mount("tmpfs", DATA_MOUNT.cStr(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700"));
}

void settleFileSystems(kj::Maybe<int> dataMount) {
  // Not sync(2): a mount whose server is gone would hold it for ever.
  syncRoot();
  // The overlay first, so that nobody writes to the disk below it.
  ::mount(nullptr, "/", nullptr, MS_REMOUNT | MS_RDONLY, nullptr);
  KJ_IF_MAYBE (fd, dataMount) {
    // By the directory, because no path leads there, and there may be no /proc any more.
    if (::fchdir(*fd) < 0 || ::mount(nullptr, ".", nullptr, MS_REMOUNT | MS_RDONLY, nullptr) < 0) {
      KJ_LOG(WARNING, "the data disk stays writable until the end", strerror(errno));
    }
  }
  syncRoot();
}

}  // namespace bothy
