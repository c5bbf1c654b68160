#include "boot/superblock.h"

#include <kj/debug.h>
#include <unistd.h>

#include "boot/failure.h"

namespace bothy {
namespace {

// From the beginning of the superblock, little-endian.
constexpr uint64_t BLOCKS_LOW_OFFSET = 0x4;
constexpr uint64_t MAGIC_OFFSET = 0x38;
constexpr uint64_t STATE_OFFSET = 0x3a;
constexpr uint64_t BLOCKS_HIGH_OFFSET = 0x150;

constexpr uint32_t MAGIC = 0xef53;
constexpr uint32_t VALID_FS = 1;
constexpr uint32_t ERROR_FS = 2;

uint32_t halfAt(int fd, uint64_t offset) {
  kj::byte bytes[2];
  readDisk(fd, offset, bytes);
  return uint32_t{bytes[0]} | uint32_t{bytes[1]} << 8;
}

uint32_t wordAt(int fd, uint64_t offset) {
  return halfAt(fd, offset) | halfAt(fd, offset + 2) << 16;
}

}  // namespace

void readDisk(int fd, uint64_t offset, kj::ArrayPtr<kj::byte> buffer) {
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

bool hasSuperblock(int fd, uint64_t offset) {
  return halfAt(fd, offset + MAGIC_OFFSET) == MAGIC;
}

uint64_t blockCount(int fd) {
  return uint64_t{wordAt(fd, SUPERBLOCK_OFFSET + BLOCKS_HIGH_OFFSET)} << 32 |
         wordAt(fd, SUPERBLOCK_OFFSET + BLOCKS_LOW_OFFSET);
}

bool wantsCheck(int fd) {
  auto state = halfAt(fd, SUPERBLOCK_OFFSET + STATE_OFFSET);
  return (state & ERROR_FS) != 0 || (state & VALID_FS) == 0;
}

}  // namespace bothy
