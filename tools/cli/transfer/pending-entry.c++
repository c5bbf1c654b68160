#include "transfer/pending-entry.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>

#include "console/failure.h"
#include "transfer/copy-end.h"
#include "tree/file-time.h"
#include "tree/left-over.h"
#include "tree/staged-tree.h"

namespace bothy {
namespace {

[[noreturn]] void fail(kj::StringPtr path, kj::StringPtr what, int error) {
  kj::throwFatalException(failure(kj::str(path, ": ", what, ": ", strerror(error))));
}

kj::AutoCloseFd openDirectory(kj::StringPtr path) {
  int fd = open(path.cStr(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) fail(path, "cannot open the directory", errno);
  return kj::AutoCloseFd(fd);
}

[[noreturn]] void failOverNames(kj::StringPtr path) {
  kj::throwFatalException(failure(kj::str(path, ": too many copies to this place are under way")));
}

}  // namespace

LocalPlace LocalPlace::find(kj::StringPtr path, kj::StringPtr sourceName, Kind kind) {
  bool slash = path.endsWith("/");
  // A slash has the kernel follow the last symlink all the same.
  int into = open(path.cStr(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (into >= 0) {
    auto shown = kj::str(path, slash ? "" : "/", sourceName);
    return {kj::AutoCloseFd(into), kj::str(sourceName), kj::mv(shown)};
  }
  struct stat status{};
  if (!slash && stat(path.cStr(), &status) == 0 && S_ISDIR(status.st_mode)) {
    kj::throwFatalException(failure(kj::str(path, ": it is a symlink to a directory: ", path,
                                            "/ names that directory itself")));
  }
  if (slash && kind == Kind::FILE) fail(path, "cannot copy there", ENOENT);
  size_t end = path.size();
  while (end > 1 && path[end - 1] == '/') --end;
  auto name = baseName(path);
  auto directory = kj::heapString(path.slice(0, end - kj::min(name.size(), end)));
  return {openDirectory(directory.size() > 0 ? directory : "."_kj), kj::mv(name), kj::str(path)};
}

namespace {

// Whether a symlink stands for what is open, or for a device, as /dev/stdout does: it is no file's name.
bool standsForNoFile(const LocalPlace& place) {
  char target[PATH_MAX];
  auto size = readlinkat(place.directory, place.name.cStr(), target, sizeof(target));
  if (size < 0) return false;
  if (kj::heapString(target, static_cast<size_t>(size)).startsWith("/proc/")) return true;
  struct stat status{};
  return fstatat(place.directory, place.name.cStr(), &status, 0) == 0 && !S_ISREG(status.st_mode) &&
         !S_ISDIR(status.st_mode);
}

void requireReplaceable(const LocalPlace& place) {
  struct stat status{};
  if (fstatat(place.directory, place.name.cStr(), &status, AT_SYMLINK_NOFOLLOW) < 0) return;
  if (S_ISREG(status.st_mode) || (S_ISLNK(status.st_mode) && !standsForNoFile(place))) return;
  kj::throwFatalException(failure(kj::str(
      place.shown, ": it is no regular file: name another place, or - for standard output")));
}

}  // namespace

PendingEntry::PendingEntry(LocalPlace given) : place(kj::mv(given)) {
  requireReplaceable(place);
  create();
}

void PendingEntry::create() {
  constexpr int FLAGS = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  constexpr mode_t MODE = 0600;
  for (kj::uint attempt = 0; attempt < MAX_STAGING_NAMES; ++attempt) {
    temporaryName = stagingName(place.name, attempt);
    int fd = openat(place.directory, temporaryName.cStr(), FLAGS, MODE);
    if (fd < 0 && errno == EEXIST && removeLeftOver(place.directory, temporaryName)) {
      fd = openat(place.directory, temporaryName.cStr(), FLAGS, MODE);
    }
    if (fd < 0 && errno == EEXIST) continue;
    if (fd < 0) fail(place.shown, "cannot make the file", errno);
    entry = kj::AutoCloseFd(fd);
    if (lockStaged(place.directory, temporaryName, fd)) return;
  }
  failOverNames(place.shown);
}

PendingEntry::~PendingEntry() noexcept(false) {
  // What cannot be removed stays, under a name that tells what it is.
  if (!committed) unlinkat(place.directory, temporaryName.cStr(), 0);
}

void PendingEntry::commit(FileAttributes attributes) {
  if (fchmod(entry, attributes.mode & 0777) < 0) fail(place.shown, "cannot set the mode", errno);
  const timespec times[2] = {{0, UTIME_OMIT}, timeOf(attributes.modifiedNanos)};
  if (futimens(entry, times) < 0) fail(place.shown, "cannot set the time", errno);
  if (renameat(place.directory, temporaryName.cStr(), place.directory, place.name.cStr()) < 0) {
    fail(place.shown, "cannot put it in its place", errno);
  }
  committed = true;
}

void placeSymlink(LocalPlace place, kj::StringPtr target, int64_t modifiedNanos) {
  requireReplaceable(place);
  const timespec times[2] = {{0, UTIME_OMIT}, timeOf(modifiedNanos)};
  for (kj::uint attempt = 0; attempt < MAX_STAGING_NAMES; ++attempt) {
    auto temporary = stagingName(place.name, attempt);
    auto make = [&] { return symlinkat(target.cStr(), place.directory, temporary.cStr()); };
    int made = make();
    if (made < 0 && errno == EEXIST && removeLeftOver(place.directory, temporary)) made = make();
    if (made < 0 && errno == EEXIST) continue;
    if (made < 0) fail(place.shown, "cannot make the symlink", errno);
    bool timed = utimensat(place.directory, temporary.cStr(), times, AT_SYMLINK_NOFOLLOW) == 0;
    if (timed &&
        renameat(place.directory, temporary.cStr(), place.directory, place.name.cStr()) == 0) {
      return;
    }
    int error = errno;
    if (error == ENOENT) continue;  // another copy to this place took it for a left-over
    unlinkat(place.directory, temporary.cStr(), 0);
    fail(place.shown, timed ? "cannot put it in its place"_kj : "cannot set the time"_kj, error);
  }
  failOverNames(place.shown);
}

}  // namespace bothy
