#include "volume/volume-directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/vector.h>

#include <map>
#include <string>

#include "volume/qcow2-image.h"
#include "volume/volume-file.h"

namespace bothy {
namespace {

constexpr kj::StringPtr SUFFIX = ".qcow2"_kj;
constexpr kj::StringPtr UNFINISHED = ".qcow2.new"_kj;
constexpr uint64_t MEBIBYTE = 1024 * 1024;

bool isId(kj::StringPtr id) {
  if (id.size() == 0 || id.size() > MAX_VOLUME_ID_BYTES) return false;
  for (char c : id) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) return false;
  }
  return true;
}

void requireId(kj::StringPtr id) {
  KJ_REQUIRE(isId(id), "the id of a volume has 1 to 63 characters of [a-z0-9-]", id);
}

void requireSize(uint64_t bytes) {
  KJ_REQUIRE(bytes > 0 && bytes % MEBIBYTE == 0 && bytes <= MAX_VOLUME_BYTES,
             "a volume has whole MiB, at least 1 and at most 16777216 (16 TiB)", bytes);
}

// Sizes for people: bytes where MiB would hide the difference.
kj::String sizeText(uint64_t bytes) {
  if (bytes % MEBIBYTE == 0) return kj::str(bytes / MEBIBYTE, " MiB");
  return kj::str(bytes, " bytes");
}

kj::AutoCloseFd openDirectory(kj::StringPtr path) {
  if (mkdir(path.cStr(), 0700) < 0 && errno != EEXIST) {
    KJ_FAIL_SYSCALL("mkdir", errno, path);
  }
  int fd;
  KJ_SYSCALL(fd = open(path.cStr(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), path);
  kj::AutoCloseFd result(fd);
  // QEMU runs as another user and gets its disk as a path: it may pass, not look around.
  KJ_SYSCALL(fchmod(fd, 0711), path);
  return result;
}

// The file of that name, or the errno of what cannot be opened.  O_NONBLOCK: a FIFO must not stop bothyd.
struct Opened {
  kj::AutoCloseFd fd;
  int error;
};
Opened openFile(int directory, kj::StringPtr name, int flags) {
  for (;;) {
    int fd = openat(directory, name.cStr(), flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) return {kj::AutoCloseFd(fd), 0};
    if (errno != EINTR) return {nullptr, errno};
  }
}

VolumeFile openVolume(int directory, kj::StringPtr id, kj::String path, int flags) {
  auto opened = openFile(directory, kj::str(id, SUFFIX), flags);
  if (opened.error == ENOENT) {
    kj::throwFatalException(KJ_EXCEPTION(FAILED, kj::str("the volume ", path, " does not exist")));
  }
  if (opened.error == ELOOP) refuseVolume(path, "is a symbolic link");
  if (opened.error == EISDIR || opened.error == ENXIO) refuseVolume(path, "is no regular file");
  if (opened.error != 0) KJ_FAIL_SYSCALL("openat", opened.error, path);
  return VolumeFile(kj::mv(opened.fd), kj::mv(path));
}

}  // namespace

VolumeDirectory::VolumeDirectory(kj::StringPtr path)
    : path(kj::heapString(path)), directoryFd(openDirectory(path)) {}

void VolumeDirectory::create(kj::StringPtr id, uint64_t bytes, const Secret& key) const {
  requireId(id);
  requireSize(bytes);
  requireSpace(HEAD_BYTES + bytes);
  auto finished = kj::str(id, SUFFIX);
  auto unfinished = kj::str(id, UNFINISHED);
  remove(unfinished);

  int raw;
  KJ_SYSCALL(raw = openat(directoryFd, unfinished.cStr(),
                          O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600),
             path, unfinished);
  VolumeFile file(kj::AutoCloseFd(raw), kj::str(path, "/", unfinished));
  // Whatever it is called when something fails.
  kj::StringPtr name = unfinished;
  KJ_ON_SCOPE_FAILURE(unlinkat(directoryFd, name.cStr(), 0));
  KJ_SYSCALL(fchmod(raw, 0600), unfinished);
  file.format(bytes, key);
  file.sync();
  KJ_SYSCALL(renameat(directoryFd, unfinished.cStr(), directoryFd, finished.cStr()), path,
             finished);
  name = finished;
  sync();
}

void VolumeDirectory::give(kj::StringPtr id, uint32_t uid) const {
  requireId(id);
  auto file = openVolume(directoryFd, id, pathOf(id), O_RDONLY);
  file.requireWhole();
  file.giveTo(uid);
}

// It looks at nothing in the file, as destroy() does: a guest that took over its QEMU may have left anything, and must not keep it.
void VolumeDirectory::reclaim(kj::StringPtr id) const {
  requireId(id);
  auto name = kj::str(id, SUFFIX);
  auto opened = openFile(directoryFd, name, O_RDONLY);
  switch (opened.error) {
    case 0: {
      struct stat stats;
      KJ_SYSCALL(fstat(opened.fd, &stats), path, name);
      if (!S_ISREG(stats.st_mode)) return;
      VolumeFile file(kj::mv(opened.fd), pathOf(id));
      file.giveTo(geteuid());
      file.sync();
      return;
    }
    case ENOENT:
    case ELOOP:
    case ENXIO:
      return;  // nothing is there, or a link or a socket, which no machine can make
    default:
      KJ_FAIL_SYSCALL("openat", opened.error, path, name);
  }
}

void VolumeDirectory::grow(kj::StringPtr id, uint64_t bytes) const {
  requireId(id);
  requireSize(bytes);
  auto file = openVolume(directoryFd, id, pathOf(id), O_RDWR);
  uint64_t now = file.requireWhole();
  if (now >= bytes) return;
  if (!growsByFields(now, bytes)) {
    kj::throwFatalException(KJ_EXCEPTION(
        FAILED,
        kj::str("the volume ", pathOf(id), " was made with ", sizeText(now), ", and one of up to ",
                sizeText(MAX_GROWN_VOLUME_BYTES), " does not grow beyond that")));
  }
  requireSpace(bytes - now);
  file.resize(now, bytes);
}

void VolumeDirectory::check(kj::StringPtr id, uint64_t bytes) const {
  requireId(id);
  auto file = openVolume(directoryFd, id, pathOf(id), O_RDONLY);
  uint64_t now = file.requireWhole();
  if (now != bytes) {
    refuseVolume(pathOf(id), kj::str("is ", sizeText(now), " large and not ", sizeText(bytes)));
  }
}

void VolumeDirectory::destroy(kj::StringPtr id) const {
  requireId(id);
  destroyFile(kj::str(id, SUFFIX));
  destroyFile(kj::str(id, UNFINISHED));
  // Even if there was none: a destruction that was killed may have left this to do.
  sync();
}

void VolumeDirectory::destroyFile(kj::StringPtr name) const {
  auto opened = openFile(directoryFd, name, O_RDWR);
  switch (opened.error) {
    case 0: {
      struct stat stats;
      KJ_SYSCALL(fstat(opened.fd, &stats), path, name);
      if (S_ISREG(stats.st_mode)) {
        VolumeFile file(kj::mv(opened.fd), kj::str(path, "/", name));
        file.wipe();
        file.empty();
      }
      break;
    }
    case ENOENT:
      return;
    case ELOOP:
    case ENXIO:
      break;  // a link or a socket: there is nothing but the name
    default:
      KJ_FAIL_SYSCALL("openat", opened.error, path, name);
  }
  remove(name);
}

kj::String VolumeDirectory::pathOf(kj::StringPtr id) const {
  requireId(id);
  return kj::str(path, "/", id, SUFFIX);
}

kj::Array<VolumeStore::Listed> VolumeDirectory::list() const {
  int fd;
  KJ_SYSCALL(fd = openat(directoryFd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), path);
  DIR* listing = fdopendir(fd);
  if (listing == nullptr) {
    int error = errno;
    close(fd);
    KJ_FAIL_SYSCALL("fdopendir", error, path);
  }
  KJ_DEFER(closedir(listing));

  std::map<std::string, kj::Maybe<uint32_t>> users;
  for (;;) {
    errno = 0;
    auto entry = readdir(listing);
    if (entry == nullptr) {
      int error = errno;
      if (error != 0) KJ_FAIL_SYSCALL("readdir", error, path);
      break;
    }
    kj::StringPtr name = entry->d_name;
    for (auto suffix : {SUFFIX, UNFINISHED, MEMORY_SUFFIX}) {
      if (!name.endsWith(suffix)) continue;
      auto id = kj::heapString(name.slice(0, name.size() - suffix.size()));
      // Others are not ours, and no call of ours could name them.
      if (!isId(id)) continue;
      auto& user = users[id.cStr()];
      if (suffix == SUFFIX) user = userOf(name);
    }
  }
  return KJ_MAP(entry, users) {
    return VolumeStore::Listed{kj::heapString(entry.first.data(), entry.first.size()),
                               entry.second};
  };
}

// Whose that file is, unless it is bothyd's.  What is no file nobody was given.
kj::Maybe<uint32_t> VolumeDirectory::userOf(kj::StringPtr name) const {
  struct stat stats;
  if (fstatat(directoryFd, name.cStr(), &stats, AT_SYMLINK_NOFOLLOW) < 0) {
    int error = errno;
    if (error == ENOENT) return nullptr;
    KJ_FAIL_SYSCALL("fstatat", error, path, name);
  }
  if (!S_ISREG(stats.st_mode) || stats.st_uid == geteuid()) return nullptr;
  return stats.st_uid;
}

uint64_t VolumeDirectory::freeBytes() const {
  struct statvfs stats;
  KJ_SYSCALL(fstatvfs(directoryFd, &stats), path);
  return uint64_t(stats.f_bavail) * stats.f_frsize;
}

void VolumeDirectory::requireRoom() const {
  uint64_t available = freeBytes();
  if (available >= LEAST_ROOM_BYTES) return;
  kj::throwFatalException(KJ_EXCEPTION(
      OVERLOADED, kj::str("the host's disk is full: ", available / MEBIBYTE, " MiB are free below ",
                          path, ", and at least ", LEAST_ROOM_BYTES / MEBIBYTE, " MiB must be")));
}

void VolumeDirectory::requireSpace(uint64_t bytes) const {
  uint64_t available = freeBytes();
  if (bytes > available || available - bytes < HOST_RESERVE_BYTES) {
    kj::throwFatalException(KJ_EXCEPTION(
        OVERLOADED,
        kj::str("the host's disk cannot hold the volume: it needs ",
                (bytes + MEBIBYTE - 1) / MEBIBYTE, " MiB, and of the ", available / MEBIBYTE,
                " MiB that are free ", HOST_RESERVE_BYTES / MEBIBYTE, " MiB stay free")));
  }
}

void VolumeDirectory::remove(kj::StringPtr name) const {
  if (unlinkat(directoryFd, name.cStr(), 0) < 0) {
    int error = errno;
    if (error != ENOENT) KJ_FAIL_SYSCALL("unlinkat", error, path, name);
  }
}

void VolumeDirectory::sync() const {
  KJ_SYSCALL(fsync(directoryFd), path);
}

}  // namespace bothy
