#include "files/left-over.h"

#include <fcntl.h>
#include <kj/io.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bothy {

bool removeLeftOver(int directory, kj::StringPtr name) {
  struct stat status;
  if (fstatat(directory, name.cStr(), &status, AT_SYMLINK_NOFOLLOW) < 0) return false;
  if (status.st_uid != geteuid()) return false;
  if (S_ISLNK(status.st_mode)) return unlinkat(directory, name.cStr(), 0) == 0;
  if (!S_ISREG(status.st_mode)) return false;
  int fd = openat(directory, name.cStr(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return false;
  kj::AutoCloseFd owned(fd);
  return flock(fd, LOCK_EX | LOCK_NB) == 0 && unlinkat(directory, name.cStr(), 0) == 0;
}

}  // namespace bothy
