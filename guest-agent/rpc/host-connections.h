#pragma once

#include <kj/async-io.h>
#include <kj/function.h>
#include <kj/list.h>
#include <kj/timer.h>

#include "rpc/gate-key.h"
#include "rpc/lane-bootstrap.h"
#include "rpc/lane-memory.h"
#include "rpc/lane-registry.h"
#include "rpc/lane-server.h"

namespace bothy {

// How long a connection may take to say hello.
constexpr kj::Duration HELLO_LIMIT = 5 * kj::SECONDS;

// After a failure to accept (no descriptor left, say), before it is tried again.
constexpr kj::Duration ACCEPT_RETRY = 1 * kj::SECONDS;

// Connections that have not said hello yet.  Over it the oldest is closed: a flood of strangers must not
// keep the supervisor out.
constexpr kj::uint MAX_STRANGERS = 16;

// Between two lines of the log about lanes that are ended for what their clients did, or made the agent hold.
constexpr kj::Duration BREACH_LOG_PAUSE = 1 * kj::SECONDS;

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
  // All of them outlive it.  `bootTimer` counts the lifetimes of lanes, `memory` what those hold that are served here.  `clock` tells how long clients'
  // messages take, see MessageGuard.
  HostConnections(kj::Timer& timer, kj::Timer& bootTimer, const GateKey& key, Facets& facets,
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

  // What the supervisor hears of.
  EventFeed& events() { return registry.feed(); }

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
  Facets& facets;
  kj::Function<bool()> isEnding = []() { return false; };
  const Generations generations;
  LaneRegistry registry;
  LaneServer server;
  kj::uint bulkLanes = 0;
  kj::Maybe<kj::TimePoint> breachNoted;
  uint64_t breachesLeftOut = 0;  // since then
  Evictables strangers;
  Evictables spares;
  kj::TaskSet connections;

  // What a lane begins with.
  using Content = kj::OneOf<capnp::Capability::Client, kj::Own<FileLanes::OfUser>>;
  struct Admitted {
    kj::Own<LaneRegistry::Entry> lane;
    Content content;
    uint16_t generation;  // that both sides speak
  };
  kj::Promise<void> serveConnection(kj::Own<VsockStream> stream);
  kj::Promise<kj::OneOf<Admitted, rpc::Refusal>> admit(VsockStream& stream);
  // Reads the Hello.  The smaller of both sides' generations, or why it is not let in.
  kj::Promise<kj::OneOf<uint16_t, rpc::Refusal>> hear(VsockStream& stream);
  kj::Promise<void> serveLane(Admitted admitted, kj::Own<VsockStream> stream);
  kj::Promise<void> serveRpc(LaneRegistry::Entry& lane, kj::Own<VsockStream> stream,
                             Content content, uint16_t generation);
  kj::Promise<kj::Maybe<kj::String>> serveFiles(const LaneGrant& grant, kj::Own<VsockStream> stream,
                                                kj::Own<FileLanes::OfUser> files,
                                                uint16_t generation);
  void noteBreach(uint64_t lane, kj::StringPtr why);
  // Fails with DISCONNECTED when it is evicted from `list`.
  template <typename T>
  static kj::Promise<T> orEvicted(Evictables& list, kj::Promise<T> promise);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
