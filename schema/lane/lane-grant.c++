#include "lane/lane-grant.h"

#include <kj/debug.h>
#include <kj/vector.h>

#include "schema/limits.capnp.h"

namespace bothy {
namespace {

using Purpose = rpc::Purpose;
using Verb = rpc::Verb;

// What a purpose offers, of what is served.
LaneGrant::Verbs offeredBy(Purpose purpose) {
  switch (purpose) {
    case Purpose::NONE:
      return {};
    case Purpose::CONTROL:
      return {Verb::CONTROL};
    case Purpose::INTERACTIVE:
      return {Verb::MACHINE, Verb::TERMINALS, Verb::VIEW_TERMINALS};
    case Purpose::COMMANDS:
      return {Verb::MACHINE, Verb::PROGRAMS};
    case Purpose::FILES:
      return {Verb::READ_FILES, Verb::WRITE_FILES, Verb::READ_BENEATH, Verb::WRITE_BENEATH};
  }
  return {};
}

bool isName(kj::StringPtr text) {
  if (text.size() > rpc::MAX_LANE_NAME_BYTES) return false;
  for (kj::byte c : text.asBytes()) {
    if (c < 0x20 || c == 0x7f) return false;
  }
  return true;
}

}  // namespace

uint32_t LaneGrant::Verbs::bitOf(Verb verb) {
  auto number = static_cast<uint16_t>(verb);
  // `none`, and one that this build does not know.
  if (verb == Verb::NONE || verb > Verb::CONTROL) return 0;
  return uint32_t{1} << number;
}

LaneGrant::Verbs LaneGrant::Verbs::operator&(Verbs other) const {
  Verbs both;
  both.bits = bits & other.bits;
  return both;
}

void LaneGrant::writeTo(rpc::Grant::Builder grant) const {
  grant.setLane(lane);
  grant.setPurpose(purpose);
  grant.setSession(session);
  grant.setActor(actor);
  grant.setUser(user);
  grant.setAllLanes(allLanes);
  grant.setBeneath(beneath);
  kj::Vector<Verb> list;
  for (uint16_t i = 0; i <= static_cast<uint16_t>(Verb::CONTROL); ++i) {
    if (verbs.has(static_cast<Verb>(i))) list.add(static_cast<Verb>(i));
  }
  auto granted = grant.initVerbs(list.size());
  for (auto i : kj::indices(list)) granted.set(i, list[i]);
  KJ_IF_MAYBE (limit, lifetime) {
    grant.getLifetime().setMillis(*limit / kj::MILLISECONDS);
  } else {
    grant.getLifetime().setUnlimited();
  }
}

kj::OneOf<LaneGrant, rpc::Refusal> LaneGrant::parse(rpc::Grant::Reader grant) {
  if (grant.getLane() == 0 || !isName(grant.getSession()) || !isName(grant.getActor()) ||
      !isName(grant.getUser()) || grant.getBeneath().size() > rpc::MAX_BENEATH_BYTES) {
    return rpc::Refusal::NOT_UNDERSTOOD;
  }
  LaneGrant result;
  result.lane = grant.getLane();
  result.purpose = grant.getPurpose();
  for (auto verb : grant.getVerbs()) result.verbs.add(verb);
  result.verbs = result.verbs & offeredBy(result.purpose);
  // Rights of different reach do not stand beside each other: what is left is the wider, which was granted in words.
  const Verbs ofAllFiles = result.verbs & Verbs{Verb::READ_FILES, Verb::WRITE_FILES};
  if (result.isBeneath() && (!ofAllFiles.isEmpty() || grant.getBeneath().size() == 0)) {
    result.verbs = ofAllFiles;
  }
  if (result.verbs.isEmpty()) return rpc::Refusal::NOTHING_GRANTED;
  auto lifetime = grant.getLifetime();
  switch (lifetime.which()) {
    case rpc::Grant::Lifetime::UNLIMITED:
      break;
    case rpc::Grant::Lifetime::MILLIS:
      if (lifetime.getMillis() == 0) return rpc::Refusal::NOTHING_GRANTED;
      // A longer one is as good as none, and a duration would not hold it.
      result.lifetime =
          kj::min(lifetime.getMillis(), rpc::MAX_LANE_LIFETIME_MILLIS) * kj::MILLISECONDS;
      break;
    default:
      return rpc::Refusal::NOTHING_GRANTED;
  }
  result.session = kj::str(grant.getSession());
  result.actor = kj::str(grant.getActor());
  result.user = kj::str(grant.getUser());
  result.allLanes = grant.getAllLanes();
  if (result.isBeneath()) result.beneath = kj::heapArray<const kj::byte>(grant.getBeneath());
  return kj::mv(result);
}

}  // namespace bothy
