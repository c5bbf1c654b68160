#include "boot/disk-directories.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <sys/mount.h>
#include <sys/stat.h>

namespace bothy {
namespace {

// Beside the overlay's layers, where no program of the guest reaches those.
constexpr kj::StringPtr FOLDER = "direct"_kj;
// An engine gives its directory the mode that it wants.
constexpr mode_t MODE = 0711;

void makeDirectory(int parent, kj::StringPtr path) {
  KJ_SYSCALL_HANDLE_ERRORS(::mkdirat(parent, path.cStr(), MODE)) {
    case EEXIST:
      break;
    default:
      KJ_FAIL_SYSCALL("mkdirat()", error, path);
  }
}

bool isDirectory(kj::StringPtr path) {
  struct stat info;
  return ::fstatat(AT_FDCWD, path.cStr(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
}

void mountDiskDirectory(int dataMount, kj::StringPtr target) {
  makeDirectory(AT_FDCWD, target);
  if (!isDirectory(target)) {
    return;
  }
  auto source = kj::str(FOLDER, target.slice(KJ_ASSERT_NONNULL(target.findLast('/'))));
  makeDirectory(dataMount, source);
  int fd;
  KJ_SYSCALL(fd = ::open_tree(dataMount, source.cStr(),
                              OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_NO_AUTOMOUNT),
             target);
  kj::AutoCloseFd tree(fd);
  KJ_SYSCALL(::move_mount(tree.get(), "", AT_FDCWD, target.cStr(), MOVE_MOUNT_F_EMPTY_PATH),
             target);
  // The disk's mount refuses set-uid programs and devices; these directories are as good as "/".
  KJ_SYSCALL(::mount(nullptr, target.cStr(), nullptr, MS_REMOUNT | MS_BIND | MS_NOATIME, nullptr),
             target);
}

}  // namespace

void mountDiskDirectories(int dataMount) {
  makeDirectory(dataMount, FOLDER);
  kj::Maybe<kj::Exception> problem;
  for (auto target : DISK_DIRECTORIES) {
    KJ_IF_MAYBE (e, kj::runCatchingExceptions([&]() { mountDiskDirectory(dataMount, target); })) {
      problem = kj::mv(*e);
    }
  }
  KJ_IF_MAYBE (e, problem) {
    kj::throwFatalException(kj::mv(*e));
  }
}

}  // namespace bothy
