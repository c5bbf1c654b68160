#pragma once

#include "schema/limits.capnp.h"
#include "wire/byte-sink.h"
#include "wire/message-budget.h"
#include "wire/vsock-stream.h"

namespace bothy {

// What lanes may hold of what their clients send and do not read, see MessageBudget.

// Each, whatever the others do: any message that clients send as a rule, chunks of files among them, beside what streams to its client
// have waiting.
constexpr size_t LANE_SHARE_BYTES = FILE_CHUNK_BYTES + MAX_VSOCK_READ_BYTES;
static_assert(MAX_VSOCK_READ_BYTES >=
              MessageGuard::MOST_WAITING_BYTES + MessageGuard::SMALL_CALL_BYTES);
// All with their shares, whose last read may go beyond: who has one lane, with no more than that, never holds most then.
constexpr size_t LANES_MOST_BYTES =
    (rpc::MAX_LANES + 1) * (LANE_SHARE_BYTES + MAX_VSOCK_READ_BYTES);

// Of the lanes that one process serves, and of those of one actor.
constexpr MessageBudget::Limits lanesLimits(size_t memoryBytes, size_t actorBytes) {
  return {.maxBytes = memoryBytes,
          .maxHolderBytes = actorBytes,
          .littleBytes = memoryBytes / 8,
          .shareBytes = LANE_SHARE_BYTES,
          .mostBytes = LANES_MOST_BYTES};
}

// All lanes but those for files, which file workers serve.
constexpr size_t LANES_MEMORY_BYTES = 32 * 1024 * 1024;
constexpr size_t LANES_ACTOR_BYTES = LANES_MEMORY_BYTES / 2;
static_assert(LANES_ACTOR_BYTES >= rpc::MAX_LANE_ANSWERS * MessageGuard::WAITING_CALL_BYTES +
                                       rpc::MAX_LANE_UNREAD_BYTES,
              "who has as many calls as a lane may has room for others");
static_assert(LANES_MOST_BYTES > LANES_MEMORY_BYTES);
constexpr MessageBudget::Limits LANES_LIMITS = lanesLimits(LANES_MEMORY_BYTES, LANES_ACTOR_BYTES);

}  // namespace bothy
