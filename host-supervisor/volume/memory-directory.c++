#include "volume/memory-directory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>

#include "volume/luks-header.h"
#include "volume/qcow2-image.h"
#include "volume/volume-file.h"

namespace bothy {
namespace {

constexpr uint64_t MEBIBYTE = 1024 * 1024;
constexpr size_t WIPE_BYTES = 64 * 1024;

kj::AutoCloseFd openNoLink(kj::StringPtr path, int flags) {
  for (;;) {
    int fd = open(path.cStr(), flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) return kj::AutoCloseFd(fd);
    int error = errno;
    if (error == EINTR) continue;
    if (error == ENOENT) refuseVolume(path, "is not there");
    if (error == ELOOP) refuseVolume(path, "is a symbolic link");
    KJ_FAIL_SYSCALL("open", error, path);
  }
}

void requireRegular(int fd, kj::StringPtr path) {
  struct stat stats;
  KJ_SYSCALL(fstat(fd, &stats), path);
  if (!S_ISREG(stats.st_mode)) refuseVolume(path, "is no regular file");
  if (stats.st_nlink != 1) refuseVolume(path, "has more than one name");
}

void writeAll(int fd, uint64_t offset, kj::ArrayPtr<const kj::byte> content, kj::StringPtr path) {
  while (content.size() > 0) {
    ssize_t count;
    KJ_SYSCALL(count = pwrite(fd, content.begin(), content.size(), offset), path);
    content = content.slice(count, content.size());
    offset += count;
  }
}

kj::Array<kj::byte> readAll(int fd, uint64_t offset, size_t count, kj::StringPtr path) {
  auto content = kj::heapArray<kj::byte>(count);
  for (size_t done = 0; done < count;) {
    ssize_t more;
    KJ_SYSCALL(more = pread(fd, content.begin() + done, count - done, offset + done), path);
    if (more == 0) refuseVolume(path, "is cut off");
    done += more;
  }
  return content;
}

[[noreturn]] void failOfRoom(uint64_t bytes, uint64_t free) {
  kj::throwFatalException(KJ_EXCEPTION(
      OVERLOADED, kj::str("the host's disk cannot hold the machine's memory: it needs ",
                          bytes / MEBIBYTE, " MiB, and of the ", free / MEBIBYTE,
                          " MiB that are free ", HOST_RESERVE_BYTES / MEBIBYTE, " MiB stay free")));
}

// All that will be written has its place on the disk; a file system that cannot promise that has none to give.
void reserve(int fd, uint64_t bytes, uint64_t free) {
  if (fallocate(fd, 0, 0, bytes) == 0) return;
  int error = errno;
  if (error == ENOSPC || error == EDQUOT) failOfRoom(bytes, free);
  if (error != EOPNOTSUPP) KJ_FAIL_SYSCALL("fallocate", error, bytes);
  KJ_SYSCALL(ftruncate(fd, bytes));
}

// Where what was written to it ends.
uint64_t endOfData(int fd) {
  uint64_t end = LUKS_AREA_BYTES;
  for (;;) {
    off_t data = lseek(fd, end, SEEK_DATA);
    if (data < 0) return end;
    off_t hole;
    KJ_SYSCALL(hole = lseek(fd, data, SEEK_HOLE));
    end = hole;
  }
}

}  // namespace

void MemoryDirectory::create(kj::StringPtr id, uint64_t bytes, const Secret& key) const {
  auto path = pathOf(id);
  destroy(id);
  const uint64_t whole = LUKS_AREA_BYTES + bytes;
  const uint64_t free = volumes->freeBytes();
  if (whole > free || free - whole < HOST_RESERVE_BYTES) failOfRoom(whole, free);
  int raw;
  KJ_SYSCALL(raw = open(path.cStr(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600),
             path);
  kj::AutoCloseFd file(raw);
  KJ_ON_SCOPE_FAILURE(unlink(path.cStr()));
  reserve(file, whole, free);
  writeAll(file, 0, newLuksArea(key), path);
  KJ_SYSCALL(fsync(file), path);
  sync();
}

uint64_t MemoryDirectory::seal(kj::StringPtr id, uint64_t generation, const Secret& key) const {
  auto path = pathOf(id), diskPath = volumes->pathOf(id);
  auto memory = openNoLink(path, O_RDWR), disk = openNoLink(diskPath, O_RDWR);
  requireRegular(memory, path);
  requireRegular(disk, diskPath);
  // What is written, before it is said to be whole.
  KJ_SYSCALL(fsync(memory), path);
  struct stat stats;
  KJ_SYSCALL(fstat(memory, &stats), path);
  const uint64_t end = endOfData(memory);
  KJ_SYSCALL(ftruncate(memory, end), path);
  KJ_SYSCALL(ftruncate(memory, stats.st_size), path);
  writeAll(disk, LUKS_AREA_OFFSET + sealOffset(), newSeal(code, Sealed::DISK, id, generation, key),
           diskPath);
  KJ_SYSCALL(fsync(disk), diskPath);
  writeAll(memory, sealOffset(), newSeal(code, Sealed::MEMORY, id, generation, key), path);
  KJ_SYSCALL(fsync(memory), path);
  sync();
  return end - LUKS_AREA_BYTES;
}

void MemoryDirectory::check(kj::StringPtr id, uint64_t generation, const Secret& key) const {
  auto require = [&](kj::StringPtr path, uint64_t areaOffset, Sealed what) {
    auto file = openNoLink(path, O_RDONLY);
    requireRegular(file, path);
    KJ_IF_MAYBE (fault, luksFault(readAll(file, areaOffset, LUKS_HEADER_BYTES, path))) {
      refuseVolume(path, *fault);
    }
    auto seal = readAll(file, areaOffset + sealOffset(), SEAL_BYTES, path);
    KJ_IF_MAYBE (found, generationOf(code, seal, what, id, key)) {
      if (*found == generation) return;
      refuseVolume(path,
                   kj::str("is of sleep ", *found, ", and the workspace's last is ", generation));
    }
    refuseVolume(path, "has no seal of a sleep of this workspace");
  };
  require(volumes->pathOf(id), LUKS_AREA_OFFSET, Sealed::DISK);
  require(pathOf(id), 0, Sealed::MEMORY);
}

void MemoryDirectory::destroy(kj::StringPtr id) const {
  auto path = pathOf(id);
  int raw = open(path.cStr(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (raw >= 0) {
    kj::AutoCloseFd file(raw);
    struct stat stats;
    KJ_SYSCALL(fstat(file, &stats), path);
    if (S_ISREG(stats.st_mode)) {
      auto zeros = kj::heapArray<kj::byte>(WIPE_BYTES);
      memset(zeros.begin(), 0, zeros.size());
      const uint64_t end = kj::min(LUKS_AREA_BYTES, uint64_t(stats.st_size));
      for (uint64_t offset = 0; offset < end; offset += WIPE_BYTES) {
        writeAll(file, offset, zeros.slice(0, kj::min(WIPE_BYTES, end - offset)), path);
      }
      KJ_SYSCALL(fsync(file), path);
      KJ_SYSCALL(ftruncate(file, 0), path);
    }
  } else if (errno != ENOENT && errno != ELOOP && errno != ENXIO) {
    KJ_FAIL_SYSCALL("open", errno, path);
  }
  if (unlink(path.cStr()) < 0 && errno != ENOENT) KJ_FAIL_SYSCALL("unlink", errno, path);
  sync();
}

kj::String MemoryDirectory::pathOf(kj::StringPtr id) const {
  constexpr kj::StringPtr DISK = ".qcow2"_kj;
  auto disk = volumes->pathOf(id);
  return kj::str(disk.slice(0, disk.size() - DISK.size()), MEMORY_SUFFIX);
}

void MemoryDirectory::sync() const {
  volumes->syncNames();
}

}  // namespace bothy
