#pragma once

#include "schema/limits.capnp.h"
#include "wire/byte-sink.h"
#include "wire/message-budget.h"
#include "wire/vsock-stream.h"

namespace bothy {

// What lanes may hold of what their clients send and do not read, see MessageBudget.  All of them, and those of one actor.
constexpr size_t LANES_MEMORY_BYTES = 32 * 1024 * 1024;
constexpr size_t LANES_ACTOR_BYTES = LANES_MEMORY_BYTES / 4 * 3;
static_assert(LANES_ACTOR_BYTES >= rpc::MAX_LANE_ANSWERS * MessageGuard::WAITING_CALL_BYTES +
                                       rpc::MAX_LANE_UNREAD_BYTES,
              "who has as many calls as a lane may has room for others");
// Each, whatever the others do: any message that clients send as a rule, chunks of files among them, for of one that does not fit no end
// would ever come, beside what streams to its client have waiting.  And as many calls as a lane may have.
constexpr size_t LANE_SHARE_BYTES = FILE_CHUNK_BYTES + MAX_VSOCK_READ_BYTES;
static_assert(LANE_SHARE_BYTES >= FILE_CHUNK_BYTES + MAX_VSOCK_READ_BYTES);
static_assert(MAX_VSOCK_READ_BYTES >=
              MessageGuard::MOST_WAITING_BYTES + MessageGuard::SMALL_CALL_BYTES);
constexpr kj::uint LANE_SHARE_CALLS = rpc::MAX_LANE_ANSWERS + 1;
static_assert(LANE_SHARE_CALLS > rpc::MAX_LANE_ANSWERS);
// All with their shares: where they hold more, one of them holds more than its own, whose last read may go beyond.
constexpr size_t LANE_KEPT_BYTES = LANE_SHARE_BYTES + MAX_VSOCK_READ_BYTES;
constexpr size_t LANES_MOST_BYTES = (rpc::MAX_LANES + 1) * LANE_KEPT_BYTES;
static_assert(LANES_MOST_BYTES > LANES_MEMORY_BYTES);

// Of lanes that one process serves, with so much for all of them.
constexpr MessageBudget::Limits lanesLimits(size_t memoryBytes) {
  return {.maxBytes = memoryBytes,
          .maxHolderBytes = memoryBytes / 4 * 3,
          .littleBytes = memoryBytes / 8,
          .shareBytes = LANE_SHARE_BYTES,
          .shareCalls = LANE_SHARE_CALLS,
          .mostBytes = LANES_MOST_BYTES,
          .keptBytes = LANE_KEPT_BYTES};
}
constexpr MessageBudget::Limits LANES_LIMITS = lanesLimits(LANES_MEMORY_BYTES);

}  // namespace bothy
