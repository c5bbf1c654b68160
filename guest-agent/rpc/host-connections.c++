#include "rpc/host-connections.h"

#include <kj/debug.h>

#include "lane/lane-greeting.h"
#include "schema/limits.capnp.h"
#include "wire/rpc-connection.h"

namespace bothy {
namespace {

// Of whoever has a lane.  An answer that is waited for or kept takes some 5 KiB here.
constexpr GuardRules CLIENT_RULES = {GuardRules::Peer::ASKS, rpc::MAX_MESSAGE_WORDS,
                                     rpc::MAX_LANE_UNREAD_BYTES, rpc::MAX_LANE_ANSWERS,
                                     rpc::MAX_LANE_EXPORTS};
static_assert(rpc::MAX_LANE_ANSWERS > rpc::MAX_PROCESSES);

// Whose the memory is that a lane holds.  Lanes for files are given away for little: they take nothing of what their actor's others may
// have.  Of who may have all lanes, each other one may have as much.
kj::String holderOf(const LaneGrant& grant) {
  if (grant.purpose == rpc::Purpose::FILES) return kj::str(grant.actor, ", files");
  return grant.allLanes ? kj::String() : kj::str(grant.actor);
}

kj::Own<capnp::MallocMessageBuilder> welcome(uint16_t generation) {
  auto message = kj::heap<capnp::MallocMessageBuilder>();
  message->initRoot<rpc::Welcome>().setGeneration(generation);
  return message;
}

kj::Own<capnp::MallocMessageBuilder> refusal(rpc::Refusal why, uint16_t oldest) {
  auto message = kj::heap<capnp::MallocMessageBuilder>();
  auto welcome = message->initRoot<rpc::Welcome>();
  welcome.setRefused(why);
  if (why == rpc::Refusal::GENERATION_TOO_OLD) welcome.setOldest(oldest);
  return message;
}

}  // namespace

HostConnections::HostConnections(kj::Timer& timer, kj::Timer& bootTimer, const GateKey& key,
                                 Rooms& rooms, MessageBudget& memory,
                                 kj::Maybe<const kj::MonotonicClock&> clock,
                                 Generations generations)
    : timer(timer),
      key(key),
      rooms(rooms),
      memory(memory),
      clock(clock),
      generations(generations),
      registry(bootTimer),
      creditUpdates(timer),
      connections(*this) {}

HostConnections::~HostConnections() noexcept(false) {}

void HostConnections::add(kj::Own<kj::AsyncIoStream> stream) {
  if (strangers.size() >= MAX_STRANGERS) {
    strangers.front().evict->fulfill();
  }
  connections.add(serveConnection(kj::heap<VsockStream>(kj::mv(stream))));
}

kj::Promise<void> HostConnections::serve(kj::Own<kj::ConnectionReceiver> receiver) {
  for (;;) {
    kj::Maybe<kj::Exception> failure;
    try {
      add(co_await receiver->accept());
    } catch (...) {
      failure = kj::getCaughtExceptionAsKj();
    }
    KJ_IF_MAYBE (exception, failure) {
      KJ_LOG(ERROR, "cannot accept a connection", exception->getDescription());
      co_await timer.afterDelay(ACCEPT_RETRY);
    }
  }
}

// What was needed to let it in is gone while it is served.
kj::Promise<void> HostConnections::serveConnection(kj::Own<VsockStream> stream) {
  auto admission = admit(*stream);
  return admission.then(
      [this, stream = kj::mv(stream)](kj::OneOf<Admitted, rpc::Refusal>&& outcome) mutable {
        KJ_IF_MAYBE (admitted, outcome.tryGet<Admitted>()) {
          return serveLane(kj::mv(*admitted), kj::mv(stream));
        }
        return refuse(kj::mv(stream), outcome.get<rpc::Refusal>());
      });
}

kj::Promise<kj::OneOf<HostConnections::Admitted, rpc::Refusal>> HostConnections::admit(
    VsockStream& stream) {
  auto heard = co_await hear(stream);
  KJ_IF_MAYBE (why, heard.tryGet<rpc::Refusal>()) co_return *why;
  // A supervisor that ended leaves its spares to whoever closes them; the next one has its own.
  if (spares.size() >= rpc::MAX_SPARE_LANES) spares.front().evict->fulfill();
  auto message = co_await orEvicted(spares, readGreeting(stream));
  auto parsed = LaneGrant::parse(message->getRoot<rpc::Grant>());
  KJ_IF_MAYBE (why, parsed.tryGet<rpc::Refusal>()) co_return *why;
  auto grant = kj::mv(parsed.get<LaneGrant>());
  auto bootstrap = newLaneBootstrap(rooms, registry, grant);
  KJ_IF_MAYBE (capability, bootstrap) {
    auto added = registry.add(kj::mv(grant));
    KJ_IF_MAYBE (why, added.tryGet<rpc::Refusal>()) co_return *why;
    co_return Admitted{kj::mv(added.get<kj::Own<LaneRegistry::Entry>>()), kj::mv(*capability),
                       heard.get<uint16_t>()};
  }
  co_return rpc::Refusal::NO_SUCH_USER;
}

kj::Promise<kj::OneOf<uint16_t, rpc::Refusal>> HostConnections::hear(VsockStream& stream) {
  auto message =
      co_await orEvicted(strangers, timer.timeoutAfter(HELLO_LIMIT, readGreeting(stream)));
  auto hello = message->getRoot<rpc::Hello>();
  // The secret first: who does not know it learns nothing, not even a generation.
  if (!key.isOpenedBy(hello.getSecret())) co_return rpc::Refusal::WRONG_SECRET;
  if (hello.getGeneration() < generations.oldest) co_return rpc::Refusal::GENERATION_TOO_OLD;
  co_return kj::min(hello.getGeneration(), generations.newest);
}

// The stream is closed before the registry tells that the lane has ended.
kj::Promise<void> HostConnections::serveLane(Admitted admitted, kj::Own<VsockStream> stream) {
  auto& lane = *admitted.lane;
  return lane.onOrder()
      .exclusiveJoin(
          serveRpc(lane, kj::mv(stream), kj::mv(admitted.bootstrap), admitted.generation))
      .attach(kj::mv(admitted.lane));
}

kj::Promise<void> HostConnections::serveRpc(LaneRegistry::Entry& lane,
                                            kj::Own<VsockStream> ownStream,
                                            capnp::Capability::Client bootstrap,
                                            uint16_t generation) {
  auto& stream = *ownStream;
  if (lane.grant.purpose != rpc::Purpose::CONTROL && isEnding()) {
    co_await kj::Promise<void>(kj::NEVER_DONE);
  }
  co_await timer.timeoutAfter(WELCOME_LIMIT, writeGreeting(stream, welcome(generation)));
  const bool isBulk = lane.grant.purpose == rpc::Purpose::FILES && bulkLanes < MAX_BULK_LANES;
  if (isBulk) {
    ++bulkLanes;
    stream.enlargeBufferForBulk();
  }
  KJ_DEFER(if (isBulk)-- bulkLanes);
  RpcConnection connection(kj::mv(ownStream), kj::mv(bootstrap), timer, CLIENT_RULES, memory, clock,
                           holderOf(lane.grant));
  auto& guard = connection.requireGuard();
  stream.slowReads([&guard](size_t have) { return guard.untilRoomForPart(have); });
  // The RPC system ends with its last write, which may hang for good when nobody reads it.
  kj::Maybe<kj::TimePoint> ended;
  CreditUpdates::Lane watched(creditUpdates, guard, [&]() {
    stream.sendCreditUpdate();
    if (!stream.hasPeerEnded()) return;
    if (ended == nullptr) ended = timer.now();
    if (timer.now() - KJ_ASSERT_NONNULL(ended) >= CLOSED_LINGER) lane.close();
  });
  // Told of all but the kernel's vsock.
  auto closed =
      stream.whenWriteDisconnected().then([this]() { return timer.afterDelay(CLOSED_LINGER); });
  co_await connection.onDisconnect().exclusiveJoin(kj::mv(closed));
  KJ_IF_MAYBE (why, guard.whyEnded()) noteBreach(lane.grant.lane, *why);
}

void HostConnections::noteBreach(uint64_t lane, kj::StringPtr why) {
  const auto now = timer.now();
  if (breachNoted != nullptr && now - KJ_ASSERT_NONNULL(breachNoted) < BREACH_LOG_PAUSE) {
    ++breachesLeftOut;
    return;
  }
  breachNoted = now;
  const auto leftOut = breachesLeftOut;
  breachesLeftOut = 0;
  KJ_LOG(WARNING, "a lane is ended", lane, why, leftOut);
}

kj::Promise<void> HostConnections::refuse(kj::Own<VsockStream> stream, rpc::Refusal why) {
  co_await timer.timeoutAfter(WELCOME_LIMIT,
                              writeGreeting(*stream, refusal(why, generations.oldest)));
  co_await stream->whenWriteDisconnected().exclusiveJoin(timer.afterDelay(REFUSAL_LINGER));
}

template <typename T>
kj::Promise<T> HostConnections::orEvicted(Evictables& list, kj::Promise<T> promise) {
  auto evicted = kj::newPromiseAndFulfiller<void>();
  Evictable self;
  self.evict = kj::mv(evicted.fulfiller);
  list.add(self);
  KJ_DEFER(list.remove(self));
  co_return co_await promise.exclusiveJoin(evicted.promise.then(
      []() -> kj::Promise<T> { return KJ_EXCEPTION(DISCONNECTED, "others came"); }));
}

void HostConnections::taskFailed(kj::Exception&& exception) {
  if (exception.getType() != kj::Exception::Type::DISCONNECTED &&
      exception.getType() != kj::Exception::Type::OVERLOADED) {
    KJ_LOG(ERROR, "a connection failed", exception.getDescription());
  }
}

}  // namespace bothy
