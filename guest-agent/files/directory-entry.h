#pragma once

#include <stddef.h>
#include <stdint.h>

#include <kj/array.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bothy {

// What getdents64(2) writes: the C library keeps its own position, which cannot be handed out as one.
struct DirectoryEntry {
  uint64_t inode;
  int64_t nextOffset;  // for lseek(2): where the entry after this one is
  uint16_t bytes;
  uint8_t type;
  char name[1];  // with its NUL

  bool isDotOrDotDot() const {
    return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
  }
};

constexpr size_t DIRECTORY_BUFFER_BYTES = 32 * 1024;

// How many bytes of `buffer` (8-byte aligned) now hold entries; 0 at the end, -1 with errno.
inline long readDirectory(int fd, kj::ArrayPtr<kj::byte> buffer) {
  return syscall(SYS_getdents64, fd, buffer.begin(), buffer.size());
}

}  // namespace bothy
