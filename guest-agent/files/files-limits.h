#pragma once

#include "files/disk-flush.h"
#include "schema/limits.capnp.h"
#include "wire/byte-sink.h"
#include "wire/message-budget.h"
#include "wire/places.h"

namespace bothy {

// While lanes leave so much unread, in bytes, chunks of files are smaller, and at last small: clients that read nothing do not hold one
// large chunk more for each of their transfers (MAX_LANES * MAX_LANE_TRANSFERS).
constexpr size_t LARGE_CHUNKS_BYTES = 4 * 1024 * 1024;
constexpr size_t PREFERRED_CHUNKS_BYTES = 8 * 1024 * 1024;
constexpr size_t SMALL_CHUNK_BYTES = 64 * 1024;

// What all lanes of a user together may have a file worker do at a time: made once by its main.
struct FilesLimits {
  // Of all lanes; outlives this.
  MessageBudget& lanes;
  // Outlives this.
  DiskFlush& disk;
  // Beside one of each lane.
  kj::Own<Places> treeTransfers = kj::refcounted<Places>(rpc::MAX_TREE_TRANSFERS);
  kj::Own<Places> writers = kj::refcounted<Places>(rpc::MAX_WRITERS);

  // How large the next chunk of a file may be that is sent at once.
  size_t chunkBytes() {
    const auto unread = lanes.unread();
    if (unread < LARGE_CHUNKS_BYTES) return FILE_CHUNK_BYTES;
    return unread < PREFERRED_CHUNKS_BYTES ? size_t{rpc::PREFERRED_CHUNK_BYTES} : SMALL_CHUNK_BYTES;
  }
};

}  // namespace bothy
