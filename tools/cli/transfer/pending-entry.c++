#include "transfer/pending-entry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/filesystem.h>

#include "console/failure.h"
#include "transfer/copy-end.h"

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

kj::String temporaryNameFor(kj::StringPtr name) {
  uint64_t random;
  KJ_ASSERT(getrandom(&random, sizeof(random), 0) == sizeof(random));
  constexpr size_t MAX_PREFIX = 200;  // a name has 255 bytes at most
  auto prefix = kj::heapString(name.slice(0, kj::min(name.size(), MAX_PREFIX)));
  return kj::str(".", prefix, ".bothy-", kj::hex(random));
}

mode_t currentUmask() {
  mode_t mask = umask(0);
  umask(mask);
  return mask;
}

}  // namespace

LocalPlace LocalPlace::find(kj::StringPtr path, kj::StringPtr sourceName) {
  struct stat status{};
  if (stat(path.cStr(), &status) == 0 && S_ISDIR(status.st_mode)) {
    auto shown = kj::str(path, path.endsWith("/") ? "" : "/", sourceName);
    return {openDirectory(path), kj::str(sourceName), kj::mv(shown)};
  }
  if (path.endsWith("/")) fail(path, "cannot copy there", ENOENT);
  auto name = baseName(path);
  auto directory = kj::heapString(path.slice(0, path.size() - kj::min(name.size(), path.size())));
  return {openDirectory(directory.size() > 0 ? directory : "."_kj), kj::mv(name), kj::str(path)};
}

PendingEntry::PendingEntry(LocalPlace placeParam, EntryKind kind)
    : place(kj::mv(placeParam)), kind(kind), temporaryName(temporaryNameFor(place.name)) {
  struct stat status{};
  bool exists = fstatat(place.directory, place.name.cStr(), &status, AT_SYMLINK_NOFOLLOW) == 0;
  bool replaceable =
      kind == EntryKind::FILE && (S_ISREG(status.st_mode) || S_ISLNK(status.st_mode));
  if (exists && !replaceable) {
    kj::throwFatalException(failure(
        kj::str(place.shown,
                kind == EntryKind::TREE
                    ? ": it exists: remove it, or name another place"
                    : ": it is no regular file: name another place, or - for standard output")));
  }
  if (kind == EntryKind::TREE && mkdirat(place.directory, temporaryName.cStr(), S_IRWXU) < 0) {
    fail(place.shown, "cannot make the directory", errno);
  }
  int flags = kind == EntryKind::TREE ? O_RDONLY | O_DIRECTORY : O_WRONLY | O_CREAT | O_EXCL;
  int fd = openat(place.directory, temporaryName.cStr(), flags | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) {
    int error = errno;
    if (kind == EntryKind::TREE) removeTemporary();
    fail(place.shown, "cannot make the file", error);
  }
  entry = kj::AutoCloseFd(fd);
}

PendingEntry::~PendingEntry() noexcept(false) {
  if (!committed) removeTemporary();
}

void PendingEntry::removeTemporary() noexcept {
  // What cannot be removed stays, under a name that tells what it is.
  if (kind == EntryKind::FILE) {
    unlinkat(place.directory, temporaryName.cStr(), 0);
    return;
  }
  kj::runCatchingExceptions([&] {
    int fd;
    KJ_SYSCALL(fd = openat(place.directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    kj::newDiskDirectory(kj::AutoCloseFd(fd))->tryRemove(kj::Path({temporaryName}));
  });
}

void PendingEntry::commit(mode_t mode) {
  if (fchmod(entry, mode & 0777 & ~currentUmask()) < 0) {
    fail(place.shown, "cannot set the mode", errno);
  }
  uint flags = kind == EntryKind::TREE ? RENAME_NOREPLACE : 0;
  if (renameat2(place.directory, temporaryName.cStr(), place.directory, place.name.cStr(), flags) <
      0) {
    fail(place.shown, "cannot put it in its place", errno);
  }
  committed = true;
}

}  // namespace bothy
