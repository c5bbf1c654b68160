#include "rpc/lane-registry.h"

#include <kj/debug.h>

#include "schema/limits.capnp.h"

namespace bothy {

using What = rpc::AgentEvent::What;

LaneRegistry::~LaneRegistry() noexcept(false) {
  KJ_ASSERT(entries.empty(), "lanes outlive their registry") {
    break;
  }
}

LaneRegistry::Entry::Entry(LaneRegistry& registry, LaneGrant grant)
    : grant(kj::mv(grant)), registry(registry), began(registry.timer.now()) {
  registry.entries.add(*this);
}

LaneRegistry::Entry::~Entry() noexcept(false) {
  registry.entries.remove(*this);
  registry.events.tellLane(grant.lane, fate);
  registry.leaving.wakeAll();
}

kj::Promise<void> LaneRegistry::Entry::onOrder() {
  auto ordered = kj::mv(order.promise);
  KJ_IF_MAYBE (limit, grant.lifetime) {
    ordered = ordered.exclusiveJoin(
        registry.timer.afterDelay(*limit).then([this]() { fate = What::EXPIRED; }));
  }
  return ordered;
}

bool LaneRegistry::isFull(const LaneGrant& grant) {
  uint32_t all = 0, ofSession = 0, ofActor = 0;
  for (auto& entry : entries) {
    if (entry.grant.purpose == rpc::Purpose::CONTROL) continue;
    ++all;
    if (entry.grant.session == grant.session) ++ofSession;
    if (entry.grant.actor == grant.actor) ++ofActor;
  }
  if (all >= rpc::MAX_LANES || ofSession >= rpc::MAX_SESSION_LANES) return true;
  if (grant.allLanes || ofActor == 0) return false;
  return ofActor >= rpc::MAX_ACTOR_LANES || all >= rpc::MAX_LANES - rpc::KEPT_LANES;
}

kj::OneOf<kj::Own<LaneRegistry::Entry>, rpc::Refusal> LaneRegistry::add(LaneGrant grant) {
  if (grant.purpose == rpc::Purpose::CONTROL) {
    for (auto& entry : entries) {
      if (entry.grant.purpose == rpc::Purpose::CONTROL) order(entry, What::ORDERED);
    }
  } else if (isFull(grant)) {
    return rpc::Refusal::TOO_MANY_LANES;
  }
  return kj::heap<Entry>(*this, kj::mv(grant));
}

void LaneRegistry::order(Entry& entry, What why) {
  entry.fate = why;
  entry.order.fulfiller->fulfill();
}

kj::Promise<uint32_t> LaneRegistry::end(rpc::LaneChoice::Reader choice) {
  kj::Vector<uint64_t> ordered;
  for (auto& entry : entries) {
    const bool isMeant = choice.isLane()
                             ? entry.grant.lane == choice.getLane()
                             : choice.isSession() && entry.grant.session == choice.getSession() &&
                                   entry.grant.purpose != rpc::Purpose::CONTROL;
    if (!isMeant) continue;
    order(entry, What::ORDERED);
    ordered.add(entry.grant.lane);
  }
  auto isThere = [&](uint64_t lane) {
    for (auto& entry : entries) {
      if (entry.grant.lane == lane) return true;
    }
    return false;
  };
  for (auto lane : ordered) {
    while (isThere(lane)) co_await leaving.wait();
  }
  co_return static_cast<uint32_t>(ordered.size());
}

void LaneRegistry::forEach(kj::Function<void(const Entry&, kj::Duration)> describe) {
  for (auto& entry : entries) describe(entry, timer.now() - entry.began);
}

}  // namespace bothy
