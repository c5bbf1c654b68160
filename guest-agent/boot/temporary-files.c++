#include "boot/temporary-files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bothy {
namespace {

constexpr mode_t TMP_MODE = 01777;

// Boots in a row that were too short to remove anything.
constexpr kj::uint MAX_OLD = 1000;

bool isEmpty(kj::StringPtr path) {
  DIR* entries = ::opendir(path.cStr());
  KJ_REQUIRE(entries != nullptr, "opendir()", errno, path);
  KJ_DEFER(::closedir(entries));
  while (auto entry = ::readdir(entries)) {
    kj::StringPtr name = entry->d_name;
    if (name != "." && name != "..") {
      return false;
    }
  }
  return true;
}

// A directory that is nobody's but root's, whatever was there.
void makeOldDirectory(kj::StringPtr path) {
  struct stat status;
  if (::lstat(path.cStr(), &status) == 0 && !S_ISDIR(status.st_mode)) {
    KJ_SYSCALL(::unlink(path.cStr()), path);
  }
  if (::mkdir(path.cStr(), 0700) < 0) {
    KJ_REQUIRE(errno == EEXIST, "mkdir()", errno, path);
  }
  KJ_SYSCALL(::chmod(path.cStr(), 0700), path);
}

void setAside(kj::StringPtr tmp, kj::StringPtr oldDirectory) {
  makeOldDirectory(oldDirectory);
  for (kj::uint i = 0;; ++i) {
    KJ_REQUIRE(i < MAX_OLD, "too much waits for its removal", oldDirectory);
    auto target = kj::str(oldDirectory, '/', i);
    if (::renameat2(AT_FDCWD, tmp.cStr(), AT_FDCWD, target.cStr(), RENAME_NOREPLACE) == 0) {
      return;
    }
    KJ_REQUIRE(errno == EEXIST, "rename()", errno, tmp, target);
  }
}

}  // namespace

bool setAsideTemporaryFiles(kj::StringPtr tmp, kj::StringPtr oldDirectory) {
  struct stat status;
  bool present = ::lstat(tmp.cStr(), &status) == 0;
  if (present && S_ISDIR(status.st_mode)) {
    if (!isEmpty(tmp)) {
      setAside(tmp, oldDirectory);
      present = false;
    } else if ((status.st_mode & 07777) != TMP_MODE || status.st_uid != 0) {
      KJ_SYSCALL(::chown(tmp.cStr(), 0, 0), tmp);
      KJ_SYSCALL(::chmod(tmp.cStr(), TMP_MODE), tmp);
    }
  }
  if (!present) {
    KJ_SYSCALL(::mkdir(tmp.cStr(), 0700), tmp);
    KJ_SYSCALL(::chmod(tmp.cStr(), TMP_MODE), tmp);
  }
  return ::lstat(oldDirectory.cStr(), &status) == 0;
}

}  // namespace bothy
