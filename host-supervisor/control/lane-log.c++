#include "control/lane-log.h"

#include <capnp/schema.h>
#include <kj/debug.h>
#include <kj/vector.h>

#include "wire/escape.h"

namespace bothy {

void LaneLog::begin(kj::StringPtr workspace, const LaneGrant& grant, const ClientIdentity& client) {
  if (!linesOf(client).grants.admits(MOST_GRANT_LINES)) return;
  kj::Vector<kj::StringPtr> names;
  for (auto verb : capnp::Schema::from<rpc::Verb>().getEnumerants()) {
    if (grant.verbs.has(static_cast<rpc::Verb>(verb.getOrdinal()))) {
      names.add(verb.getProto().getName());
    }
  }
  const auto verbs = kj::strArray(names, ", ");
  auto lifetimeMillis = kj::str("unlimited");
  KJ_IF_MAYBE (lifetime, grant.lifetime) lifetimeMillis = kj::str(*lifetime / kj::MILLISECONDS);
  const auto lane = grant.lane;
  const auto pid = client.pid;
  const auto uid = client.uid;
  const auto gid = client.gid;
  kj::StringPtr session = grant.session, actor = grant.actor;
  const auto purpose = grant.purpose;
  // The client's own words come last, so that they pass for no other part of the line.
  const auto user = escapeGuestText(grant.user);
  KJ_LOG(INFO, "a lane begins", workspace, lane, pid, uid, gid, session, actor, purpose, verbs,
         lifetimeMillis, user);
}

void LaneLog::end(kj::StringPtr workspace, uint64_t lane, rpc::LaneEnd why,
                  const ClientIdentity& client) {
  if (!linesOf(client).others.admits(MOST_OTHER_LANE_LINES)) return;
  KJ_LOG(INFO, "a lane ends", workspace, lane, why);
}

void LaneLog::noAnswer(kj::StringPtr workspace, kj::StringPtr why, const ClientIdentity& client) {
  if (!linesOf(client).others.admits(MOST_OTHER_LANE_LINES)) return;
  KJ_LOG(WARNING, "the agent of a workspace does not answer", workspace, why);
}

bool LaneLog::Lines::admits(kj::uint most) {
  if (written < most) {
    ++written;
    return true;
  }
  ++leftOut;
  return false;
}

LaneLog::User& LaneLog::linesOf(const ClientIdentity& client) {
  if (ofSecond.size() == 0) {
    second =
        timer.afterDelay(1 * kj::SECONDS).then([this]() { endSecond(); }).eagerlyEvaluate(nullptr);
  }
  return ofSecond.findOrCreate(client.owner,
                               [&]() { return decltype(ofSecond)::Entry{client.owner, User{}}; });
}

void LaneLog::endSecond() {
  for (auto& [uid, user] : ofSecond) {
    const auto grants = user.grants.leftOut, others = user.others.leftOut;
    if (grants + others > 0) {
      KJ_LOG(WARNING, "lines about a user's lanes are left out", uid, grants, others);
    }
  }
  ofSecond.clear();
}

}  // namespace bothy
