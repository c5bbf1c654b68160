#include "boot/machine-file.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bothy {
namespace {

// Things that a boot has renamed, at most so many to a directory.
constexpr kj::uint MAX_RENAMED = 100;

void renameAway(kj::StringPtr path) {
  for (kj::uint i = 0; i < MAX_RENAMED; ++i) {
    auto target = kj::str(path, ".bothy-", i);
    if (::renameat2(AT_FDCWD, path.cStr(), AT_FDCWD, target.cStr(), RENAME_NOREPLACE) == 0) {
      return;
    }
    KJ_REQUIRE(errno == EEXIST, "rename()", errno, path);
  }
  KJ_FAIL_REQUIRE("too many files have been renamed here", path);
}

}  // namespace

void writeSetting(kj::StringPtr path, kj::StringPtr text) {
  int fd;
  KJ_SYSCALL(fd = ::open(path.cStr(), O_WRONLY | O_CLOEXEC | O_NOCTTY), path);
  kj::AutoCloseFd file(fd);
  ssize_t n;
  KJ_SYSCALL(n = ::write(file.get(), text.begin(), text.size()), path, text);
  KJ_REQUIRE(n == text.size(), "the setting was taken in part", path, text);
}

void replaceText(kj::StringPtr path, kj::StringPtr text, unsigned mode) {
  auto temporary = kj::str(path, ".bothy-new");
  // Left there by a boot that was cut short; or root of the workspace made it to be in the way.
  ::unlink(temporary.cStr());
  int fd;
  KJ_SYSCALL(
      fd = ::open(temporary.cStr(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600),
      temporary);
  bool complete = false;
  KJ_DEFER(if (!complete)::unlink(temporary.cStr()));
  {
    kj::AutoCloseFd file(fd);
    kj::FdOutputStream(file.get()).write(text.begin(), text.size());
    KJ_SYSCALL(::fchmod(file.get(), mode), temporary);
  }
  KJ_SYSCALL(::rename(temporary.cStr(), path.cStr()), path);
  complete = true;
}

void ensureDirectory(kj::StringPtr path, unsigned mode) {
  if (::mkdir(path.cStr(), mode) == 0) {
    return;
  }
  struct stat status;
  if (errno == EEXIST && ::lstat(path.cStr(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) {
      return;
    }
    renameAway(path);
  }
  KJ_SYSCALL(::mkdir(path.cStr(), mode), path);
}

}  // namespace bothy
