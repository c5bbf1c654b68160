#include "volume/raw-volume-store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/vector.h>

namespace bothy {
namespace {

constexpr kj::StringPtr SUFFIX = ".raw"_kj;
constexpr kj::StringPtr UNFINISHED = ".raw.new"_kj;
constexpr uint64_t MEBIBYTE = 1024 * 1024;

void requireName(kj::StringPtr id) {
  KJ_REQUIRE(id.size() > 0 && id.size() <= 63, "a volume's name has 1 to 63 bytes");
  for (char c : id) {
    KJ_REQUIRE((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-',
               "a volume's name is of [a-z0-9-]");
  }
}

kj::AutoCloseFd openDirectory(kj::StringPtr directory) {
  if (mkdir(directory.cStr(), 0700) < 0 && errno != EEXIST) {
    KJ_FAIL_SYSCALL("mkdir", errno, directory);
  }
  int fd;
  KJ_SYSCALL(fd = open(directory.cStr(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), directory);
  kj::AutoCloseFd result(fd);
  // QEMU runs as another user and gets its disk as a path: it may pass, not look around.
  KJ_SYSCALL(fchmod(fd, 0711));
  return result;
}

}  // namespace

RawVolumeStore::RawVolumeStore(kj::StringPtr directory)
    : directory(kj::heapString(directory)), directoryFd(openDirectory(directory)) {}

uint64_t RawVolumeStore::freeBytes() const {
  struct statvfs stats;
  KJ_SYSCALL(fstatvfs(directoryFd, &stats));
  return uint64_t(stats.f_bavail) * stats.f_frsize;
}

void RawVolumeStore::sync() const {
  KJ_SYSCALL(fsync(directoryFd), directory);
}

kj::Promise<void> RawVolumeStore::create(kj::StringPtr id, uint64_t bytes, uint32_t uid) {
  requireName(id);
  KJ_REQUIRE(bytes > 0 && bytes % MEBIBYTE == 0, "a volume has whole MiB", bytes);
  uint64_t available = freeBytes();
  if (bytes > available || available - bytes < HOST_RESERVE_BYTES) {
    kj::throwFatalException(KJ_EXCEPTION(OVERLOADED, "the host's disk cannot hold the volume",
                                         bytes / MEBIBYTE, available / MEBIBYTE));
  }

  auto finished = kj::str(id, SUFFIX);
  auto unfinished = kj::str(id, UNFINISHED);
  int raw;
  KJ_SYSCALL(raw = openat(directoryFd, unfinished.cStr(),
                          O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600),
             unfinished);
  kj::AutoCloseFd fd(raw);
  KJ_ON_SCOPE_FAILURE(unlinkat(directoryFd, unfinished.cStr(), 0));
  if (ftruncate(fd, bytes) < 0) {
    int error = errno;
    if (error == EFBIG || error == ENOSPC || error == EDQUOT) {
      kj::throwFatalException(
          KJ_EXCEPTION(OVERLOADED, "the host's file system takes no file of this size", bytes));
    }
    KJ_FAIL_SYSCALL("ftruncate", error, unfinished, bytes);
  }
  KJ_SYSCALL(fchmod(fd, 0600));
  KJ_SYSCALL(fchown(fd, uid, uid), uid);
  KJ_SYSCALL(fsync(fd));
  KJ_SYSCALL(renameat(directoryFd, unfinished.cStr(), directoryFd, finished.cStr()));
  sync();
  return kj::READY_NOW;
}

kj::Promise<void> RawVolumeStore::destroy(kj::StringPtr id) {
  requireName(id);
  bool removed = false;
  for (auto suffix : {SUFFIX, UNFINISHED}) {
    auto name = kj::str(id, suffix);
    if (unlinkat(directoryFd, name.cStr(), 0) == 0) {
      removed = true;
    } else if (errno != ENOENT) {
      KJ_FAIL_SYSCALL("unlinkat", errno, name);
    }
  }
  if (removed) sync();
  return kj::READY_NOW;
}

kj::String RawVolumeStore::path(kj::StringPtr id) {
  requireName(id);
  return kj::str(directory, "/", id, SUFFIX);
}

kj::Promise<kj::Array<kj::String>> RawVolumeStore::removeStrays(
    kj::ArrayPtr<const kj::StringPtr> known) {
  int fd;
  KJ_SYSCALL(fd = openat(directoryFd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DIR* listing = fdopendir(fd);
  if (listing == nullptr) {
    int error = errno;
    close(fd);
    KJ_FAIL_SYSCALL("fdopendir", error);
  }
  KJ_DEFER(closedir(listing));

  kj::Vector<kj::String> strays;
  while (auto entry = readdir(listing)) {
    kj::StringPtr name = entry->d_name;
    bool unfinished = name.endsWith(UNFINISHED);
    if (!unfinished && !name.endsWith(SUFFIX)) continue;
    auto id =
        kj::heapString(name.slice(0, name.size() - (unfinished ? UNFINISHED : SUFFIX).size()));
    bool wanted = false;
    if (!unfinished) {
      for (auto& other : known) wanted = wanted || other == id;
    }
    if (wanted) continue;
    KJ_SYSCALL(unlinkat(directoryFd, name.cStr(), 0), name);
    strays.add(kj::mv(id));
  }
  if (strays.size() > 0) sync();
  return strays.releaseAsArray();
}

}  // namespace bothy
