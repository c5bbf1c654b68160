#include "process/fuse-connections.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bothy {

namespace {

// Entered by name.
constexpr mode_t CONNECTIONS_MODE = 0711;

// What getdents64(2) writes.
struct Entry {
  uint64_t inode;
  int64_t offset;
  uint16_t size;
  uint8_t type;
  char name[];
};

// Requests that are not answered: "0\n" for none.  What cannot be looked at is left alone.
bool hasWaiting(int connection) {
  const int fd = openat(connection, "waiting", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char text[2] = {};
  const ssize_t n = read(fd, text, sizeof(text));
  close(fd);
  return n < 2 || text[0] != '0' || text[1] != '\n';
}

bool abortConnection(int connection) {
  const int fd = openat(connection, "abort", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t n = write(fd, "1", 1);
  close(fd);
  return n == 1;
}

}  // namespace

kj::AutoCloseFd openFuseConnections() {
  kj::AutoCloseFd context(fsopen("fusectl", FSOPEN_CLOEXEC));
  if (context.get() < 0 || fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0) {
    return kj::AutoCloseFd();
  }
  kj::AutoCloseFd result(
      fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  if (result.get() >= 0 && fchmodat(result, ".", CONNECTIONS_MODE, 0) < 0) {
    // Then a user may hold the watcher up for as long as he lists it.
  }
  return result;
}

uint abortFuseConnections(int directory, kj::FunctionParam<bool(uid_t owner)> isAborted) {
  if (directory < 0) return 0;
  const int listed = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (listed < 0) return 0;
  KJ_DEFER(close(listed));
  uint aborted = 0;
  alignas(Entry) char block[4096];
  for (;;) {
    const long size = syscall(SYS_getdents64, listed, block, sizeof(block));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return aborted;
    for (long at = 0; at < size;) {
      auto& entry = *reinterpret_cast<const Entry*>(block + at);
      at += entry.size;
      if (entry.name[0] == '.') continue;
      const int connection = openat(listed, entry.name, O_PATH | O_DIRECTORY | O_CLOEXEC);
      if (connection < 0) continue;
      struct stat status;
      if (fstat(connection, &status) == 0 && hasWaiting(connection) && isAborted(status.st_uid) &&
          abortConnection(connection)) {
        ++aborted;
      }
      close(connection);
    }
  }
}

}  // namespace bothy
