#include "rpc/host-connections.h"

#include <kj/debug.h>

#include "lane/lane-greeting.h"
#include "schema/limits.capnp.h"

namespace bothy {
HostConnections::HostConnections(kj::Timer& timer, kj::Timer& bootTimer, const GateKey& key,
                                 Facets& facets, MessageBudget& memory,
                                 kj::Maybe<const kj::MonotonicClock&> clock,
                                 Generations generations)
    : timer(timer),
      key(key),
      facets(facets),
      generations(generations),
      registry(bootTimer),
      server(timer, memory, clock),
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
        return server.refuse(kj::mv(stream), outcome.get<rpc::Refusal>(), generations.oldest);
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
  Content content;
  if (grant.purpose == rpc::Purpose::FILES) {
    auto found = facets.files.find(grant);
    KJ_IF_MAYBE (why, found.tryGet<rpc::Refusal>()) co_return *why;
    content = kj::mv(found.get<kj::Own<FileLanes::OfUser>>());
  } else {
    content = newLaneBootstrap(facets, registry, grant);
  }
  auto added = registry.add(kj::mv(grant));
  KJ_IF_MAYBE (why, added.tryGet<rpc::Refusal>()) co_return *why;
  co_return Admitted{kj::mv(added.get<kj::Own<LaneRegistry::Entry>>()), kj::mv(content),
                     heard.get<uint16_t>()};
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
      .exclusiveJoin(serveRpc(lane, kj::mv(stream), kj::mv(admitted.content), admitted.generation))
      .attach(kj::mv(admitted.lane));
}

// No coroutine: each lane would hold one more for as long as it lasts.
kj::Promise<void> HostConnections::serveRpc(LaneRegistry::Entry& lane, kj::Own<VsockStream> stream,
                                            Content content, uint16_t generation) {
  auto& grant = lane.grant;
  if (grant.purpose != rpc::Purpose::CONTROL && isEnding()) {
    return kj::Promise<void>(kj::NEVER_DONE).attach(kj::mv(stream));
  }
  auto serving = [&]() {
    KJ_IF_MAYBE (first, content.tryGet<capnp::Capability::Client>()) {
      // Of who may have all lanes, each may have as much.
      const kj::StringPtr holder = grant.allLanes ? nullptr : kj::StringPtr(grant.actor);
      return server.serve(kj::mv(stream), kj::mv(*first), {generation, holder},
                          [&lane]() { lane.close(); });
    }
    return serveFiles(grant, kj::mv(stream), kj::mv(content.get<kj::Own<FileLanes::OfUser>>()),
                      generation);
  }();
  return serving.then([this, &grant](kj::Maybe<kj::String> breach) {
    KJ_IF_MAYBE (why, breach) noteBreach(grant.lane, *why);
  });
}

kj::Promise<kj::Maybe<kj::String>> HostConnections::serveFiles(const LaneGrant& grant,
                                                               kj::Own<VsockStream> stream,
                                                               kj::Own<FileLanes::OfUser> files,
                                                               uint16_t generation) {
  const bool isBulk = bulkLanes < MAX_BULK_LANES;
  auto note = kj::heap<FileLaneNote>(facets.notes, grant);
  auto serving =
      files->serve({grant, generation, isBulk, kj::mv(note)}, kj::mv(stream)).attach(kj::mv(files));
  if (!isBulk) return serving;
  ++bulkLanes;
  return serving.attach(kj::defer([this]() { --bulkLanes; }));
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
