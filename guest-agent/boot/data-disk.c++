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
#include "boot/tool.h"

namespace bothy {
namespace {

constexpr size_t BLOCK_BYTES = 4096;

// ext4: the superblock starts at byte 1024 of the device, its magic at 56 of it.  Backups with blocks of
// 4 KiB start at block groups 1 and 3, of 128 MiB each, without the 1024.
constexpr uint64_t SUPERBLOCK_OFFSET = 1024;
constexpr size_t MAGIC_OFFSET = 56;
constexpr size_t BLOCKS_LOW_OFFSET = 4;
constexpr size_t BLOCKS_HIGH_OFFSET = 0x150;
constexpr uint64_t GROUP_BYTES = 128 * 1024 * 1024;

constexpr uint64_t HEAD_BYTES = 1024 * 1024;
constexpr uint64_t SAMPLES = 64;

constexpr char FORMATTING[] = "bothy: a format is under way\n";

// Noatime: reading must not write.  noinit_itable: the inode tables of a fresh file system read as zero
// already, writing them would fill a sparse disk.  discard: what is deleted is given back to the host.
constexpr unsigned long MOUNT_FLAGS = MS_NOATIME | MS_NOSUID | MS_NODEV;
constexpr const char* MOUNT_OPTIONS = "errors=remount-ro,noinit_itable,discard";

void readAt(int fd, uint64_t offset, kj::ArrayPtr<kj::byte> buffer) {
  while (buffer.size() > 0) {
    ssize_t n;
    KJ_SYSCALL(n = ::pread(fd, buffer.begin(), buffer.size(), offset),
               "the data disk cannot be read");
    if (n == 0) {
      failStage(kj::str("the data disk ends early, at byte ", offset));
    }
    buffer = buffer.slice(n, buffer.size());
    offset += n;
  }
}

bool isZero(int fd, uint64_t offset, uint64_t length) {
  kj::byte buffer[BLOCK_BYTES];
  while (length > 0) {
    auto piece = kj::arrayPtr(buffer, kj::min(length, sizeof(buffer)));
    readAt(fd, offset, piece);
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

bool hasMagic(int fd, uint64_t superblock) {
  kj::byte magic[2];
  readAt(fd, superblock + MAGIC_OFFSET, magic);
  return magic[0] == 0x53 && magic[1] == 0xef;
}

uint32_t numberAt(int fd, uint64_t offset) {
  kj::byte bytes[4];
  readAt(fd, offset, bytes);
  return uint32_t{bytes[0]} | uint32_t{bytes[1]} << 8 | uint32_t{bytes[2]} << 16 |
         uint32_t{bytes[3]} << 24;
}

// A disk that was made larger: its file system follows, mounted at `target`, and what is on it stays.  The
// ioctl is of the kernel's ext4 (Documentation/filesystems/ext4/); its headers do not export it.
void growFileSystem(int fd, kj::StringPtr target) {
  constexpr unsigned long EXT4_IOC_RESIZE_FS = _IOW('f', 16, uint64_t);
  uint64_t present = uint64_t{numberAt(fd, SUPERBLOCK_OFFSET + BLOCKS_HIGH_OFFSET)} << 32 |
                     numberAt(fd, SUPERBLOCK_OFFSET + BLOCKS_LOW_OFFSET);
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
  runTool(toolsRoot,
          {"/sbin/mkfs.ext4", "-q", "-F", "-b", "4096", "-L", "bothy-data", "-m", "0", "-E",
           "lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=0:0", device, kilobytes});
  clearFormatting(fd);
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
  readAt(fd, strip, kj::arrayPtr(mark, sizeof(mark)).asBytes());
  if (memcmp(mark, FORMATTING, sizeof(mark)) == 0) {
    return DiskContent::HALF_FORMATTED;
  }
  if (hasMagic(fd, SUPERBLOCK_OFFSET)) {
    return DiskContent::EXT4;
  }
  if (!isZero(fd, 0, HEAD_BYTES) || !isZero(fd, size - HEAD_BYTES, HEAD_BYTES)) {
    return DiskContent::FOREIGN;
  }
  for (auto group : {1, 3}) {
    auto backup = group * GROUP_BYTES;
    if (backup + BLOCK_BYTES <= size && hasMagic(fd, backup)) {
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
                 int fd = ::open(device.cStr(), O_RDWR | O_CLOEXEC);
                 if (fd < 0 && (errno == ENOENT || errno == ENXIO)) {
                   return;
                 }
                 if (fd < 0) {
                   failCall(kj::str(device, " cannot be opened"));
                 }
                 kj::AutoCloseFd disk(fd);

                 bool created = false;
                 switch (inspectDisk(disk.get())) {
                   case DiskContent::EXT4:
                     break;
                   case DiskContent::BLANK:
                   case DiskContent::HALF_FORMATTED:
                     format(device, disk.get(), toolsRoot);
                     created = true;
                     break;
                   case DiskContent::FOREIGN:
                     state = DiskDamaged{kj::str(device, " is neither blank nor ext4")};
                     return;
                 }
                 if (::mount(device.cStr(), target.cStr(), "ext4", MOUNT_FLAGS, MOUNT_OPTIONS) <
                     0) {
                   state = DiskDamaged{
                       kj::str("ext4 on ", device, " cannot be mounted: ", strerror(errno))};
                   return;
                 }
                 state = DiskReady{created};
                 KJ_IF_MAYBE (e, kj::runCatchingExceptions(
                                     [&]() { growFileSystem(disk.get(), target); })) {
                   // It works, with the space that it had.
                   KJ_LOG(WARNING, "the file system has not grown with its disk",
                          e->getDescription());
                 }
               })) {
    state = DiskDamaged{kj::str(problem->getDescription())};
  }
  return state;
}

}  // namespace bothy
