#pragma once

#include <kj/vector.h>
#include <stdint.h>

namespace bothy {

// A stretch of a file that has data; between two of them is a hole.
struct FileExtent {
  uint64_t offset;
  uint64_t length;
  uint64_t end() const { return offset + length; }
};

// The first data of an open file at or after `offset` and before `size`; {size, 0} if there is a hole only.
// A file system that tells no holes has data everywhere.  Moves the descriptor's position.
FileExtent nextExtent(int fd, uint64_t offset, uint64_t size);

// All data before `size`.  From the MAX_EXTENTS-th on holes count as data.
kj::Vector<FileExtent> findExtents(int fd, uint64_t size);

constexpr size_t MAX_EXTENTS = 65536;

}  // namespace bothy
