#include "boot/data-disk.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <linux/ioctl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot/failure.h"
#include "boot/superblock.h"
#include "boot/tool.h"

namespace bothy {
namespace {

constexpr size_t BLOCK_BYTES = 4096;

constexpr uint64_t HEAD_BYTES = 1024 * 1024;
constexpr uint64_t SAMPLES = 64;

// It takes half a second; a host whose disk stands still is no reason to give up what was begun.
constexpr kj::Duration FORMAT_LIMIT = 600 * kj::SECONDS;

constexpr char FORMATTING[] = "bothy: a format is under way\n";

// Noatime: reading must not write.  noinit_itable: the inode tables of a fresh file system read as zero
// already, writing them would fill a sparse disk.  discard: what is deleted is given back to the host.
constexpr unsigned long MOUNT_FLAGS = MS_NOATIME | MS_NOSUID | MS_NODEV;
constexpr const char* MOUNT_OPTIONS = "errors=remount-ro,noinit_itable,discard";

bool isZero(int fd, uint64_t offset, uint64_t length) {
  kj::byte buffer[BLOCK_BYTES];
  while (length > 0) {
    auto piece = kj::arrayPtr(buffer, kj::min(length, sizeof(buffer)));
    readDisk(fd, offset, piece);
    for (auto b : piece) {
      if (b != 0) {
        return false;
      }
    }
    offset += piece.size();
    length -= piece.size();
  }
  return true;
}

// A disk that was made larger: its file system follows, mounted at `target`, and what is on it stays.  The
// ioctl is of the kernel's ext4 (Documentation/filesystems/ext4/); its headers do not export it.
void growFileSystem(int fd, kj::StringPtr target) {
  constexpr unsigned long EXT4_IOC_RESIZE_FS = _IOW('f', 16, uint64_t);
  auto present = blockCount(fd);
  uint64_t wanted = (diskBytes(fd) - FORMAT_STRIP_BYTES) / BLOCK_BYTES;
  if (wanted <= present) return;
  int root;
  KJ_SYSCALL(root = ::open(target.cStr(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  kj::AutoCloseFd mounted(root);
  KJ_SYSCALL(::ioctl(mounted, EXT4_IOC_RESIZE_FS, &wanted), "ext4 cannot grow", present, wanted);
}

void writeStrip(int fd, kj::ArrayPtr<const char> text) {
  kj::byte block[BLOCK_BYTES] = {};
  if (text.size() > 0) memcpy(block, text.begin(), text.size());
  ssize_t n;
  KJ_SYSCALL(n = ::pwrite(fd, block, sizeof(block), diskBytes(fd) - FORMAT_STRIP_BYTES));
  KJ_REQUIRE(n == sizeof(block), "the disk takes no block", n);
  KJ_SYSCALL(::fsync(fd));
}

void format(kj::StringPtr device, int fd, kj::StringPtr toolsRoot) {
  markFormatting(fd);
  auto kilobytes = kj::str((diskBytes(fd) - FORMAT_STRIP_BYTES) / 1024, 'k');
  auto code = runTool(
      toolsRoot,
      {"/sbin/mkfs.ext4", "-q", "-F", "-b", "4096", "-L", "bothy-data", "-m", "0", "-E",
       "lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=0:0", device, kilobytes},
      FORMAT_LIMIT);
  if (code != 0) {
    failStage(kj::str("mkfs.ext4 failed with exit code ", code));
  }
  clearFormatting(fd);
}

// None: there is no such device.
kj::Maybe<kj::AutoCloseFd> openDisk(kj::StringPtr device) {
  int fd = ::open(device.cStr(), O_RDWR | O_CLOEXEC);
  if (fd < 0 && (errno == ENOENT || errno == ENXIO)) {
    return nullptr;
  }
  if (fd < 0) {
    failCall(kj::str(device, " cannot be opened"));
  }
  return kj::AutoCloseFd(fd);
}

// Errors of mount(2) that ext4 gives for what is on the disk, and not for want of something.
bool blamesDisk(int error) {
  return error == EUCLEAN || error == EBADMSG || error == EINVAL;
}

// Mounts and, if the file system wants it, repairs first.
kj::Maybe<Repair> mountRepaired(kj::StringPtr device, int fd, kj::StringPtr target,
                                kj::StringPtr toolsRoot) {
  kj::Maybe<Repair> repaired;
  auto mountIt = [&]() {
    return ::mount(device.cStr(), target.cStr(), "ext4", MOUNT_FLAGS, MOUNT_OPTIONS);
  };
  auto repair = [&]() {
    KJ_IF_MAYBE (problem,
                 kj::runCatchingExceptions([&]() { repaired = repairDisk(device, toolsRoot); })) {
      repaired = Repair{false, kj::str("not repaired: ", problem->getDescription())};
    }
  };
  if (wantsCheck(fd)) {
    repair();
  }
  int failed = mountIt();
  if (failed == 0 && repaired == nullptr && wantsCheck(fd)) {
    // The kernel has found the note of an error in the journal, and has copied it.
    KJ_SYSCALL(::umount2(target.cStr(), 0), target);
    repair();
    failed = mountIt();
  } else if (failed < 0 && repaired == nullptr && blamesDisk(errno)) {
    repair();
    failed = mountIt();
  }
  if (failed < 0) {
    auto sentence = kj::str("ext4 on ", device, " cannot be mounted: ", strerror(errno));
    KJ_IF_MAYBE (repair, repaired) {
      sentence = kj::str(sentence, "; it was ", repair->report);
    }
    failStage(kj::mv(sentence));
  }
  return repaired;
}

DiskState mountDisk(kj::StringPtr device, int fd, kj::StringPtr target, kj::StringPtr toolsRoot) {
  DiskReady ready{false, nullptr};
  switch (inspectDisk(fd)) {
    case DiskContent::EXT4:
      break;
    case DiskContent::BLANK:
    case DiskContent::HALF_FORMATTED:
      format(device, fd, toolsRoot);
      ready.created = true;
      break;
    case DiskContent::FOREIGN:
      return DiskDamaged{kj::str(device, " is neither blank nor ext4")};
  }
  ready.repair = mountRepaired(device, fd, target, toolsRoot);
  KJ_IF_MAYBE (e, kj::runCatchingExceptions([&]() { growFileSystem(fd, target); })) {
    // It works, with the space that it had.
    KJ_LOG(WARNING, "the file system has not grown with its disk", e->getDescription());
  }
  return DiskState(kj::mv(ready));
}

}  // namespace

uint64_t diskBytes(int fd) {
  off_t size;
  KJ_SYSCALL(size = ::lseek(fd, 0, SEEK_END));
  return size;
}

DiskContent inspectDisk(int fd) {
  auto size = diskBytes(fd);
  if (size < MIN_DATA_DISK_BYTES) {
    failStage(kj::str("a data disk of ", size, " bytes is too small"));
  }

  auto strip = size - FORMAT_STRIP_BYTES;
  char mark[sizeof(FORMATTING)];
  readDisk(fd, strip, kj::arrayPtr(mark, sizeof(mark)).asBytes());
  if (memcmp(mark, FORMATTING, sizeof(mark)) == 0) {
    return DiskContent::HALF_FORMATTED;
  }
  if (hasSuperblock(fd, SUPERBLOCK_OFFSET)) {
    return DiskContent::EXT4;
  }
  if (!isZero(fd, 0, HEAD_BYTES) || !isZero(fd, size - HEAD_BYTES, HEAD_BYTES)) {
    return DiskContent::FOREIGN;
  }
  for (auto backup : BACKUP_OFFSETS) {
    if (backup + BLOCK_BYTES <= size && hasSuperblock(fd, backup)) {
      return DiskContent::FOREIGN;
    }
  }
  for (uint64_t i = 0; i < SAMPLES; ++i) {
    auto offset = (size / SAMPLES * i) & ~uint64_t(BLOCK_BYTES - 1);
    if (!isZero(fd, offset, BLOCK_BYTES)) {
      return DiskContent::FOREIGN;
    }
  }
  return DiskContent::BLANK;
}

void markFormatting(int fd) {
  writeStrip(fd, kj::StringPtr(FORMATTING).asArray());
}

void clearFormatting(int fd) {
  writeStrip(fd, nullptr);
}

DiskState mountDataDisk(kj::StringPtr device, kj::StringPtr target, kj::StringPtr toolsRoot) {
  DiskState state = DiskAbsent();
  KJ_IF_MAYBE (problem, kj::runCatchingExceptions([&]() {
                 KJ_IF_MAYBE (disk, openDisk(device)) {
                   state = mountDisk(device, *disk, target, toolsRoot);
                 }
               })) {
    state = DiskDamaged{kj::str(problem->getDescription())};
  }
  return state;
}

}  // namespace bothy
