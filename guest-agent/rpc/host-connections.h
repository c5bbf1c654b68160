#pragma once

#include <kj/async-io.h>
#include <kj/function.h>
#include <kj/list.h>
#include <kj/timer.h>

#include "rpc/credit-updates.h"
#include "rpc/gate-key.h"
#include "rpc/lane-bootstrap.h"
#include "rpc/lane-registry.h"
#include "schema/limits.capnp.h"
#include "wire/byte-sink.h"
#include "wire/message-budget.h"
#include "wire/vsock-stream.h"

namespace bothy {

// How long a connection may take to say hello.
constexpr kj::Duration HELLO_LIMIT = 5 * kj::SECONDS;

// How long a Welcome may take to leave, and after a refusal the time that it has before the connection is closed.
constexpr kj::Duration WELCOME_LIMIT = 5 * kj::SECONDS;
constexpr kj::Duration REFUSAL_LINGER = 250 * kj::MILLISECONDS;

// After a failure to accept (no descriptor left, say), before it is tried again.
constexpr kj::Duration ACCEPT_RETRY = 1 * kj::SECONDS;

// Connections that have not said hello yet.  Over it the oldest is closed: a flood of strangers must not
// keep the supervisor out.
constexpr kj::uint MAX_STRANGERS = 16;

// A connection whose host has closed it, and to which something is still being written, is dropped after so long.
constexpr kj::Duration CLOSED_LINGER = 1 * kj::SECONDS;

// Between two lines of the log about lanes that are ended for what their clients did, or made the agent hold.
constexpr kj::Duration BREACH_LOG_PAUSE = 1 * kj::SECONDS;

// What lanes may hold of what their clients send and do not read, see MessageBudget.  All of them; and those of one actor for files, and his
// others.
constexpr size_t LANES_MEMORY_BYTES = 32 * 1024 * 1024;
constexpr size_t LANES_ACTOR_BYTES = LANES_MEMORY_BYTES / 2;
static_assert(LANES_ACTOR_BYTES >= rpc::MAX_LANE_ANSWERS * MessageGuard::WAITING_CALL_BYTES +
                                       rpc::MAX_LANE_UNREAD_BYTES,
              "who has as many calls as a lane may has room for others");
// Each, whatever the others do: any message that clients send as a rule, chunks of files among them, beside what streams to its client
// have waiting.
constexpr size_t LANE_SHARE_BYTES = FILE_CHUNK_BYTES + MAX_VSOCK_READ_BYTES;
static_assert(MAX_VSOCK_READ_BYTES >=
              MessageGuard::MOST_WAITING_BYTES + MessageGuard::SMALL_CALL_BYTES);
// All with their shares, whose last read may go beyond: who has one lane, with no more than that, never holds most then.
constexpr size_t LANES_MOST_BYTES =
    (rpc::MAX_LANES + 1) * (LANE_SHARE_BYTES + MAX_VSOCK_READ_BYTES);
static_assert(LANES_MOST_BYTES > LANES_MEMORY_BYTES);

constexpr MessageBudget::Limits LANES_LIMITS = {.maxBytes = LANES_MEMORY_BYTES,
                                                .maxHolderBytes = LANES_ACTOR_BYTES,
                                                .littleBytes = LANES_MEMORY_BYTES / 8,
                                                .shareBytes = LANE_SHARE_BYTES,
                                                .mostBytes = LANES_MOST_BYTES};

// Lanes for files that have the large buffer of the kernel at a time.
constexpr kj::uint MAX_BULK_LANES = 4;

// The protocol generations that are served.
struct Generations {
  uint16_t newest = rpc::GENERATION;
  uint16_t oldest = rpc::OLDEST_GENERATION;
};

// The connections from the host: each says hello, is granted something, and is a lane from then on (lane.capnp).
//
// Dropping it closes them all.
class HostConnections final: private kj::TaskSet::ErrorHandler {
public:
  // All of them outlive it.  `bootTimer` counts the lifetimes of lanes, `memory` what they hold.  `clock` tells how long clients' messages take, see MessageGuard.
  HostConnections(kj::Timer& timer, kj::Timer& bootTimer, const GateKey& key, Rooms& rooms,
                  MessageBudget& memory, kj::Maybe<const kj::MonotonicClock&> clock = nullptr,
                  Generations generations = {});
  // While `isEnding` says that the machine ends, lanes of users get no Welcome: nothing was done over them when it has ended, so that
  // whoever opened one may start the machine again and ask there.
  void holdLanesWhile(kj::Function<bool()> isEnding) { this->isEnding = kj::mv(isEnding); }
  ~HostConnections() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(HostConnections);

  // Takes a connection on and serves it in the background.
  void add(kj::Own<kj::AsyncIoStream> stream);

  // Takes on whatever `receiver` accepts, until dropped; never fails.
  kj::Promise<void> serve(kj::Own<kj::ConnectionReceiver> receiver);

  // Resolves when there is no connection.
  kj::Promise<void> onEmpty() { return connections.onEmpty(); }

private:
  // In the order in which they came.
  struct Evictable {
    kj::Own<kj::PromiseFulfiller<void>> evict;
    kj::ListLink<Evictable> link;
  };
  using Evictables = kj::List<Evictable, &Evictable::link>;

  kj::Timer& timer;
  const GateKey& key;
  Rooms& rooms;
  MessageBudget& memory;
  const kj::Maybe<const kj::MonotonicClock&> clock;
  kj::Function<bool()> isEnding = []() { return false; };
  const Generations generations;
  LaneRegistry registry;
  CreditUpdates creditUpdates;
  kj::uint bulkLanes = 0;
  kj::Maybe<kj::TimePoint> breachNoted;
  uint64_t breachesLeftOut = 0;  // since then
  Evictables strangers;
  Evictables spares;
  kj::TaskSet connections;

  struct Admitted {
    kj::Own<LaneRegistry::Entry> lane;
    capnp::Capability::Client bootstrap;
    uint16_t generation;  // that both sides speak
  };
  kj::Promise<void> serveConnection(kj::Own<VsockStream> stream);
  kj::Promise<kj::OneOf<Admitted, rpc::Refusal>> admit(VsockStream& stream);
  // Reads the Hello.  The smaller of both sides' generations, or why it is not let in.
  kj::Promise<kj::OneOf<uint16_t, rpc::Refusal>> hear(VsockStream& stream);
  kj::Promise<void> serveLane(Admitted admitted, kj::Own<VsockStream> stream);
  kj::Promise<void> serveRpc(LaneRegistry::Entry& lane, kj::Own<VsockStream> stream,
                             capnp::Capability::Client bootstrap, uint16_t generation);
  void noteBreach(uint64_t lane, kj::StringPtr why);
  kj::Promise<void> refuse(kj::Own<VsockStream> stream, rpc::Refusal why);
  // Fails with DISCONNECTED when it is evicted from `list`.
  template <typename T>
  static kj::Promise<T> orEvicted(Evictables& list, kj::Promise<T> promise);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
