#include "loop/tree-removal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>

namespace bothy {
namespace {

constexpr int DIRECTORY = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// nullptr: another remover was faster.
kj::Maybe<kj::AutoCloseFd> tryOpen(int directory, const char* name) {
  kj::AutoCloseFd opened(openat(directory, name, DIRECTORY));
  if (opened.get() >= 0) return kj::mv(opened);
  const int error = errno;
  if (error == ENOENT) return nullptr;
  KJ_FAIL_SYSCALL("openat", error, name);
}

// Also in a directory that is removed.
kj::AutoCloseFd openWithin(int directory, const char* name) {
  int fd;
  KJ_SYSCALL(fd = openat(directory, name, DIRECTORY), name);
  return kj::AutoCloseFd(fd);
}

// False: a directory in which something is.
bool removeEntry(int directory, const char* name) {
  if (unlinkat(directory, name, 0) == 0) return true;
  const int error = errno;
  if (error == ENOENT) return true;
  // What POSIX wants of a directory, and what Linux says.
  if (error != EPERM && error != EISDIR) KJ_FAIL_SYSCALL("unlinkat", error, name);
  if (unlinkat(directory, name, AT_REMOVEDIR) == 0) return true;
  const int whyNot = errno;
  if (whyNot == ENOENT) return true;
  if (whyNot == ENOTEMPTY || whyNot == EEXIST) return false;
  KJ_FAIL_SYSCALL("unlinkat", whyNot == ENOTDIR ? error : whyNot, name);
}

// Who could rename in it could move a directory that is being emptied to another, whose ".." is not the way back.
void takeFromItsUser(int directory) {
  KJ_SYSCALL(fchown(directory, geteuid(), static_cast<gid_t>(-1)));
  KJ_SYSCALL(fchmod(directory, 0700));
}

// Up to the first directory in which something is: its name, or nullptr if all is removed.
kj::Maybe<kj::String> removeEntries(int directory) {
  // It reads by an offset of its own.
  auto within = openWithin(directory, ".");
  auto stream = fdopendir(within);
  if (stream == nullptr) KJ_FAIL_SYSCALL("fdopendir", errno);
  within.release();
  KJ_DEFER(closedir(stream));
  for (;;) {
    errno = 0;
    auto entry = readdir(stream);
    if (entry == nullptr) break;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (!removeEntry(directory, entry->d_name)) return kj::str(entry->d_name);
  }
  if (errno != 0) KJ_FAIL_SYSCALL("readdir", errno);
  return nullptr;
}

}  // namespace

bool emptyDirectory(kj::StringPtr path) {
  auto top = tryOpen(AT_FDCWD, path.cStr());
  if (top == nullptr) return false;
  auto current = kj::mv(KJ_ASSERT_NONNULL(top));
  takeFromItsUser(current);
  for (uint64_t depth = 0;;) {
    KJ_IF_MAYBE (full, removeEntries(current)) {
      auto below = tryOpen(current, full->cStr());
      KJ_IF_MAYBE (opened, below) {
        current = kj::mv(*opened);
        takeFromItsUser(current);
        ++depth;
      }
    } else if (depth > 0) {
      current = openWithin(current, "..");
      --depth;
    } else {
      return true;
    }
  }
}

bool removeTree(kj::StringPtr path) {
  if (unlink(path.cStr()) == 0) return true;
  if (!emptyDirectory(path)) return false;
  if (rmdir(path.cStr()) < 0 && errno != ENOENT) KJ_FAIL_SYSCALL("rmdir", errno, path);
  return true;
}

}  // namespace bothy
