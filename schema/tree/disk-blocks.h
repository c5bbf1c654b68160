#pragma once

#include <stdint.h>

namespace bothy {

// What file systems give space in, or more: a single byte takes so much.
constexpr uint64_t DISK_BLOCK_BYTES = 4096;

// The space that the data of one file takes, whose pieces come in order: whoever sends it chooses where its holes are.
class DiskBlocks final {
public:
  // The bytes of the blocks that are new with this piece.
  uint64_t add(uint64_t offset, uint64_t bytes) {
    if (bytes == 0) return 0;
    uint64_t begin = offset / DISK_BLOCK_BYTES;
    uint64_t pieceEnd = (offset + bytes - 1) / DISK_BLOCK_BYTES + 1;
    if (begin + 1 == end) ++begin;  // the piece before ended in this block
    end = pieceEnd;
    return (pieceEnd - begin) * DISK_BLOCK_BYTES;
  }

private:
  uint64_t end = 0;  // of the last block
};

}  // namespace bothy
