#include "tree/file-extents.h"

#include <errno.h>
#include <unistd.h>

#include <kj/common.h>

namespace bothy {

FileExtent nextExtent(int fd, uint64_t offset, uint64_t size) {
  if (offset >= size) return {size, 0};
  off_t begin = lseek(fd, static_cast<off_t>(offset), SEEK_DATA);
  if (begin < 0 && errno == ENXIO) return {size, 0};
  if (begin < 0) return {offset, size - offset};
  if (static_cast<uint64_t>(begin) >= size) return {size, 0};
  off_t end = lseek(fd, begin, SEEK_HOLE);
  auto from = static_cast<uint64_t>(begin);
  auto to = end <= begin ? size : kj::min(static_cast<uint64_t>(end), size);
  return {from, to - from};
}

kj::Vector<FileExtent> findExtents(int fd, uint64_t size) {
  kj::Vector<FileExtent> result;
  for (uint64_t at = 0; at < size;) {
    auto extent = nextExtent(fd, at, size);
    if (extent.length == 0) break;
    if (result.size() + 1 == MAX_EXTENTS) extent.length = size - extent.offset;
    at = extent.end();
    result.add(extent);
  }
  return result;
}

}  // namespace bothy
