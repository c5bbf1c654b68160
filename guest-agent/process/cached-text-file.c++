#include "process/cached-text-file.h"

#include <time.h>

#include "process/text-file.h"

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
bool isSettled(const struct stat& status, time_t seconds) {
  return time(nullptr) - status.st_ctim.tv_sec >= seconds;
}

}  // namespace

kj::StringPtr CachedTextFile::text() {
  struct stat now;
  const bool isThere = stat(path.cStr(), &now) == 0;
  KJ_IF_MAYBE (before, state) {
    if (isThere && isUnchanged(*before, now)) return kept;
  }
  state = nullptr;
  if (!isThere) {
    kept = kj::String();
    return kept;
  }
  KJ_IF_MAYBE (text, findTextFile(path)) {
    kept = kj::mv(*text);
    // A file of /proc has no size and changes without a time.
    if (now.st_size > 0 && isSettled(now, settlingSeconds)) state = now;
  } else {
    // For this time: that it could not be read (no descriptor, no memory) says nothing of the next.
    kept = kj::String();
  }
  return kept;
}

}  // namespace bothy
