#include "keys/private-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>

#include "keys/file-content.h"
#include "keys/key-wrapper.h"

namespace bothy {
namespace {

kj::AutoCloseFd openPrivate(kj::StringPtr path) {
  // O_NONBLOCK: a FIFO must not stop bothyd.
  int raw = open(path.cStr(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (raw < 0) {
    int error = errno;
    refuseFile(path, kj::str("it cannot be opened: ", strerror(error)));
  }
  kj::AutoCloseFd fd(raw);
  struct stat stats;
  KJ_SYSCALL(fstat(fd, &stats), path);
  if (!S_ISREG(stats.st_mode)) refuseFile(path, "it is no regular file");
  if (stats.st_uid != 0 && stats.st_uid != geteuid()) {
    refuseFile(path, kj::str("it belongs to user ", stats.st_uid, ": give it to user ", geteuid()));
  }
  mode_t mode = stats.st_mode & 07777;
  if (mode != 0600 && mode != 0400) {
    char digits[8];
    snprintf(digits, sizeof(digits), "%04o", unsigned(mode));
    refuseFile(path, kj::str("its mode is ", digits, ": make it 0600 or 0400"));
  }
  return fd;
}

kj::String directoryOf(kj::StringPtr path) {
  size_t slash = KJ_REQUIRE_NONNULL(path.findLast('/'), "a key file has an absolute path", path);
  return kj::heapString(path.slice(0, kj::max(slash, size_t(1))));
}

}  // namespace

Secret readPrivateFile(kj::StringPtr path, size_t maxBytes) {
  auto fd = openPrivate(path);
  Secret buffer(maxBytes + 1);
  auto whole = buffer.bytes();
  size_t count = kj::FdInputStream(fd.get()).tryRead(whole.begin(), whole.size(), whole.size());
  if (count == 0) refuseFile(path, "it is empty");
  if (count > maxBytes) refuseFile(path, kj::str("it has more than ", maxBytes, " bytes"));
  Secret content(count);
  memcpy(content.bytes().begin(), whole.begin(), count);
  return content;
}

void createKeyFile(kj::StringPtr path) {
  if (access(path.cStr(), F_OK) == 0) return;
  auto directory = directoryOf(path);
  int raw;
  KJ_SYSCALL(raw = open(directory.cStr(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), directory);
  kj::AutoCloseFd directoryFd(raw);

  // Left by one who was killed here.
  auto unfinished = kj::str(path, ".new");
  if (unlink(unfinished.cStr()) < 0 && errno != ENOENT) {
    KJ_FAIL_SYSCALL("unlink", errno, unfinished);
  }
  KJ_SYSCALL(
      raw = open(unfinished.cStr(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600),
      unfinished);
  kj::AutoCloseFd fd(raw);
  KJ_DEFER(unlink(unfinished.cStr()));
  KJ_SYSCALL(fchmod(fd, 0600), unfinished);
  auto key = randomKey();
  writeAll(fd, key.bytes(), unfinished);
  KJ_SYSCALL(fsync(fd), unfinished);
  // link(2), because it never replaces.
  if (::link(unfinished.cStr(), path.cStr()) < 0 && errno != EEXIST) {
    KJ_FAIL_SYSCALL("link", errno, path);
  }
  KJ_SYSCALL(fsync(directoryFd), directory);
}

}  // namespace bothy
