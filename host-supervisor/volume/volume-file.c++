#include "volume/volume-file.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>

#include "volume/luks-header.h"
#include "volume/qcow2-image.h"

namespace bothy {
namespace {

constexpr size_t WIPE_PIECE_BYTES = 64 * 1024;

// For what KJ_SYSCALL does not take for OVERLOADED.
[[noreturn]] void failToWrite(kj::StringPtr call, int error, kj::StringPtr path, uint64_t bytes) {
  if (error == EFBIG) {
    kj::throwFatalException(
        KJ_EXCEPTION(OVERLOADED, kj::str("the host's file system takes no file of this size, ",
                                         bytes / 1048576, " MiB: ", path)));
  }
  KJ_FAIL_SYSCALL("write", error, call, path, bytes);
}

}  // namespace

void refuseVolume(kj::StringPtr path, kj::StringPtr what) {
  kj::throwFatalException(
      KJ_EXCEPTION(FAILED, kj::str("the volume ", path, " is refused: it ", what)));
}

void VolumeFile::format(uint64_t guestBytes, const Secret& key) const {
  // Tried at once, because a guest that runs into this limit sees a broken disk.
  if (ftruncate(fd, HEAD_BYTES + guestBytes) < 0) {
    failToWrite("ftruncate", errno, path, HEAD_BYTES + guestBytes);
  }
  KJ_SYSCALL(ftruncate(fd, 0), path);
  for (auto& piece : emptyImage(guestBytes)) write(piece.offset, piece.content);
  write(LUKS_AREA_OFFSET, newLuksArea(key));
}

void VolumeFile::giveTo(uint32_t uid) const {
  KJ_SYSCALL(fchmod(fd, 0600), path);
  KJ_SYSCALL(fchown(fd, uid, uid), path, uid);
}

uint64_t VolumeFile::requireWhole() const {
  struct stat stats;
  KJ_SYSCALL(fstat(fd, &stats), path);
  if (!S_ISREG(stats.st_mode)) refuseVolume(path, "is no regular file");
  if (stats.st_nlink != 1) {
    refuseVolume(path, kj::str("has ", stats.st_nlink, " names, so it may be another file"));
  }
  if (uint64_t(stats.st_size) < HEAD_BYTES) {
    refuseVolume(path, kj::str("is cut off: it has ", stats.st_size, " bytes, and at least ",
                               HEAD_BYTES, " with its tables"));
  }
  auto firstCluster = read(0, CLUSTER_BYTES);
  KJ_IF_MAYBE (fault, imageFault(firstCluster)) {
    refuseVolume(path, *fault);
  }
  KJ_IF_MAYBE (fault, luksFault(read(LUKS_AREA_OFFSET, LUKS_HEADER_BYTES))) {
    refuseVolume(path, *fault);
  }
  return guestBytesOf(firstCluster);
}

void VolumeFile::resize(uint64_t oldGuestBytes, uint64_t guestBytes) const {
  auto old = sizeFields(oldGuestBytes);
  KJ_ON_SCOPE_FAILURE((void)!pwrite(fd, old.begin(), old.size(), GUEST_BYTES_OFFSET));
  // Bytes of one sector: a power cut leaves the old numbers or the new ones.
  write(GUEST_BYTES_OFFSET, sizeFields(guestBytes));
  sync();
}

void VolumeFile::wipe() const {
  overwrite(LUKS_AREA_OFFSET, LUKS_AREA_OFFSET + LUKS_AREA_BYTES);
  KJ_SYSCALL(fdatasync(fd), path);
  overwrite(0, CLUSTER_BYTES);
  sync();
}

void VolumeFile::empty() const {
  KJ_SYSCALL(ftruncate(fd, 0), path);
}

void VolumeFile::sync() const {
  KJ_SYSCALL(fsync(fd), path);
}

void VolumeFile::write(uint64_t offset, kj::ArrayPtr<const kj::byte> content) const {
  while (content.size() > 0) {
    ssize_t count = pwrite(fd, content.begin(), content.size(), offset);
    if (count < 0) {
      int error = errno;
      if (error == EINTR) continue;
      failToWrite("pwrite", error, path, offset + content.size());
    }
    content = content.slice(count, content.size());
    offset += count;
  }
}

kj::Array<kj::byte> VolumeFile::read(uint64_t offset, size_t count) const {
  auto content = kj::heapArray<kj::byte>(count);
  for (size_t done = 0; done < count;) {
    ssize_t more;
    KJ_SYSCALL(more = pread(fd, content.begin() + done, count - done, offset + done), path);
    if (more == 0) refuseVolume(path, "became shorter while it was read");
    done += more;
  }
  return content;
}

void VolumeFile::overwrite(uint64_t begin, uint64_t end) const {
  auto zeros = kj::heapArray<kj::byte>(WIPE_PIECE_BYTES);
  memset(zeros.begin(), 0, zeros.size());
  // Only what the file has on the disk.  A hole has nothing to hide, and filling it may want space that a full
  // disk has not.
  while (begin < end) {
    off_t data = lseek(fd, begin, SEEK_DATA);
    if (data < 0) {
      int error = errno;
      if (error == ENXIO) return;  // nothing but a hole from here on, or the end
      KJ_FAIL_SYSCALL("lseek", error, path);
    }
    if (uint64_t(data) >= end) return;
    off_t hole;
    KJ_SYSCALL(hole = lseek(fd, data, SEEK_HOLE), path);
    begin = data;
    uint64_t stop = kj::min(uint64_t(hole), end);
    while (begin < stop) {
      size_t count = kj::min(stop - begin, zeros.size());
      write(begin, zeros.slice(0, count));
      begin += count;
    }
  }
}

}  // namespace bothy
