#include "store/disk-reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>

namespace bothy {

DiskReserve::DiskReserve(kj::String pathParam) : path(kj::mv(pathParam)) {
  if (!tryTake()) KJ_LOG(WARNING, "the host's disk has no room for a reserve", path, BYTES);
  give();
}

bool DiskReserve::give() {
  if (!isTaken || hasRoom()) return false;
  if (truncate(path.cStr(), 0) < 0) return false;
  isTaken = false;
  KJ_LOG(ERROR, "the host's disk is full: make room; what is kept for that is used now", path);
  return true;
}

void DiskReserve::take() {
  // Twice as much, or it would be taken and given in turns.
  if (!isTaken && hasRoom()) tryTake();
}

bool DiskReserve::tryTake() {
  int raw = open(path.cStr(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (raw < 0) return false;
  kj::AutoCloseFd fd(raw);
  // Of an earlier life, which may have had another size.
  isTaken = ftruncate(fd, BYTES) == 0 && posix_fallocate(fd, 0, BYTES) == 0;
  if (!isTaken && ftruncate(fd, 0) < 0) {
    KJ_LOG(WARNING, "what was reserved in part cannot be given back", path, strerror(errno));
  }
  return isTaken;
}

bool DiskReserve::hasRoom() const {
  struct statvfs stats;
  if (statvfs(path.cStr(), &stats) < 0) return false;
  return static_cast<uint64_t>(stats.f_bavail) * stats.f_frsize > 2 * BYTES;
}

}  // namespace bothy
