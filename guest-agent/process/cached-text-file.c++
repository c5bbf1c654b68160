#include "process/cached-text-file.h"

#include <time.h>

namespace bothy {
namespace {

bool isSameTime(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool isUnchanged(const struct stat& before, const struct stat& now) {
  return before.st_dev == now.st_dev && before.st_ino == now.st_ino &&
         before.st_size == now.st_size && isSameTime(before.st_mtim, now.st_mtim) &&
         isSameTime(before.st_ctim, now.st_ctim);
}

// Whether it changed so long ago that a change from now on has another time.
bool isSettled(const struct stat& status, kj::Duration settling) {
  timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) < 0) return false;
  auto age = (now.tv_sec - status.st_ctim.tv_sec) * kj::SECONDS +
             (now.tv_nsec - status.st_ctim.tv_nsec) * kj::NANOSECONDS;
  return age >= settling;
}

}  // namespace

kj::StringPtr CachedTextFile::text() {
  struct stat now;
  const bool isThere = stat(path.cStr(), &now) == 0;
  KJ_IF_MAYBE (before, state) {
    if (isThere && isUnchanged(*before, now)) return kept;
  }
  state = nullptr;
  kept = readTextFile(path);
  // A file of /proc has no size and changes without a time.
  if (isThere && S_ISREG(now.st_mode) && now.st_size > 0 && isSettled(now, settling)) state = now;
  return kept;
}

}  // namespace bothy
