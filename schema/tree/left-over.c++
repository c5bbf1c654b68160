#include "tree/left-over.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/io.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bothy {
namespace {

bool hasName(int file, int directory, kj::StringPtr name) {
  struct stat opened, named;
  return fstat(file, &opened) == 0 &&
         fstatat(directory, name.cStr(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

bool tryRemove(int directory, kj::StringPtr name) {
  struct stat status;
  if (fstatat(directory, name.cStr(), &status, AT_SYMLINK_NOFOLLOW) < 0) return false;
  if (status.st_uid != geteuid()) return false;
  if (S_ISLNK(status.st_mode)) return unlinkat(directory, name.cStr(), 0) == 0;
  if (!S_ISREG(status.st_mode)) return false;
  int fd = openat(directory, name.cStr(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return false;
  kj::AutoCloseFd owned(fd);
  // Another may have the name by now, whose maker holds its lock.
  return flock(fd, LOCK_EX | LOCK_NB) == 0 && hasName(fd, directory, name) &&
         unlinkat(directory, name.cStr(), 0) == 0;
}

}  // namespace

bool removeLeftOver(int directory, kj::StringPtr name) {
  if (tryRemove(directory, name)) return true;
  errno = EEXIST;
  return false;
}

bool lockStaged(int directory, kj::StringPtr name, int file) {
  // What this file system cannot lock, nobody takes for a left-over.
  if (flock(file, LOCK_EX | LOCK_NB) < 0) return errno != EWOULDBLOCK;
  return hasName(file, directory, name);
}

}  // namespace bothy
