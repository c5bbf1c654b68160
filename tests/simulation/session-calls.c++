// What each call of a client about sessions is held to.

#include <kj/debug.h>

#include "simulation/clients.h"

namespace bothy {
namespace {

constexpr uint64_t LONG_MILLIS = uint64_t{300} * 24 * 3600 * 1000;
constexpr uint64_t LEAST_MILLIS = 1000, MOST_SHORT_MILLIS = 120'000;
constexpr kj::Duration LONGEST_LANE = 300 * kj::SECONDS;

}  // namespace

kj::Promise<void> Clients::chooseOfSessions(kj::String who, kj::String name) {
  auto& fate = host.fate;
  auto& known = ledger.sessions;
  const auto choice = fate.below(6);
  if (known.size() == 0 || choice < 2) return makeSession(kj::mv(who), kj::mv(name));
  auto& facts = *known[fate.below(known.size())];
  if (choice < 5) return useSession(kj::mv(who), facts);
  return revokeSession(kj::mv(who), facts);
}

size_t Clients::openLanes(const Ledger::SessionFacts& facts) {
  KJ_IF_MAYBE (machine, host.machines.find(facts.workspaceId)) {
    return (*machine)->openLanes(kj::str("session ", facts.id));
  }
  return 0;
}

kj::Promise<void> Clients::makeSession(kj::String who, kj::String name) {
  SessionRegistry::Request request;
  request.workspace = kj::str(name);
  request.rights.verbs = {rpc::Verb::PROGRAMS};
  const bool isLong = host.fate.oneIn(2);
  request.lifetimeMillis = isLong ? LONG_MILLIS : LEAST_MILLIS + host.fate.below(MOST_SHORT_MILLIS);
  host.trace.line(who, "session of ", name, ", ", request.lifetimeMillis, " ms");
  auto outcome = co_await bothyd.sessions().create(kj::mv(request));
  if (!isHeard()) co_return;
  KJ_SWITCH_ONEOF(outcome) {
    KJ_CASE_ONEOF(created, SessionRegistry::Created) {
      auto& row = created.session->row();
      host.trace.line(who, "is told: session ", row.id);
      // It may have gone with its workspace in the same moment.
      const bool isGone = created.session->isClosed() || host.store.row(row.workspaceId) == nullptr;
      if (host.store.sessions().find(row.id) == nullptr && !isGone) {
        host.judge.accuse("a client is told of session ", row.id, " before it is stored");
      }
      ledger.sessions.add(
          kj::heap(Ledger::SessionFacts{kj::str(row.id), kj::str(row.workspaceId),
                                        kj::str(created.token.bytes().asChars()), isLong}));
    }
    KJ_CASE_ONEOF(absent, SessionRegistry::Absent) {
      host.trace.line(who, "is told: no such workspace");
    }
    KJ_CASE_ONEOF(invalid, SessionRegistry::Invalid) {
      host.judge.accuse("a good session is refused: ", invalid.why);
    }
    KJ_CASE_ONEOF(tooMany, SessionRegistry::TooMany) {
      host.trace.line(who, "is told: too many sessions, ", tooMany.sessions.size());
      for (auto& session : tooMany.sessions) {
        if (session->end() != SessionEnd::NONE) {
          host.judge.accuse("a session that has ended has a place");
        }
      }
    }
    KJ_CASE_ONEOF(conflict, SessionRegistry::RequestConflict) {
      host.judge.accuse("a session without a request id is in conflict");
    }
  }
}

kj::Promise<void> Clients::useSession(kj::String who, Ledger::SessionFacts& facts) {
  auto hash = KJ_ASSERT_NONNULL(hashOfToken(facts.token));
  auto redeemed = bothyd.sessions().list().byToken(hash);
  if (redeemed == nullptr || KJ_ASSERT_NONNULL(redeemed)->isClosed()) {
    KJ_IF_MAYBE (of, ledger.all().find(facts.workspaceId)) {
      if (facts.isLong && !facts.revokeAsked && of->created && !of->deleteAsked) {
        host.judge.accuse("session ", facts.id,
                          " was acknowledged, and its token is worth nothing");
      }
    }
    co_return;
  }
  if (facts.revoked) {
    host.judge.accuse("session ", facts.id, " was revoked, and its token is taken");
  }
  auto& session = KJ_ASSERT_NONNULL(redeemed);
  bothyd.sessions().noteUse(*session);
  // As LaneOpening does it.
  auto found = bothyd.manager().byId(facts.workspaceId);
  if (found == nullptr) co_return;
  auto& workspace = *KJ_ASSERT_NONNULL(found);
  if (host.fate.oneIn(2) && isHalted(workspace.state())) {
    host.trace.line(who, "session ", facts.id, " wakes ", host.label(facts.workspaceId));
    ++ledger.of(workspace.row()).haltsAsked;
    co_await workspace.wake(nullptr, who)
        .ignoreResult()
        .exclusiveJoin(session->onEnd().ignoreResult());
    if (!isHeard() || session->isClosed()) co_return;
  }
  // Nothing is cut before it goes on.
  if (isHalted(workspace.state())) co_return;
  if (bothyd.sessions().mayHaveUncut(facts.workspaceId) &&
      co_await bothyd.sessions().remainUncut(facts.workspaceId)) {
    co_return;
  }
  auto running = workspace.machine();
  if (running == nullptr || !isHeard()) co_return;
  auto& machine = *KJ_ASSERT_NONNULL(running);
  LaneGrant grant;
  grant.purpose = rpc::Purpose::COMMANDS;
  grant.verbs = {rpc::Verb::PROGRAMS};
  grant.session = session->laneName();
  grant.actor = session->laneActor();
  grant.lifetime = kj::max(bothyd.sessions().timeLeft(*session), 1 * kj::MILLISECONDS);
  host.trace.line(who, "lane of session ", facts.id);
  kj::Maybe<AgentLink::OpenedLane> opened;
  co_await machine.openLane(kj::mv(grant))
      .then([&](AgentLink::OpenedLane&& lane) { opened = kj::mv(lane); }, [](kj::Exception&&) {});
  if (!isHeard()) co_return;
  KJ_IF_MAYBE (lane, opened) {
    auto howLong = host.fate.between(0 * kj::SECONDS, LONGEST_LANE);
    bothyd.add(holdLane(session->addRef(), kj::str(facts.workspaceId), lane->grant.lane,
                        kj::mv(lane->stream), howLong));
  }
}

// What a LaneKeeper does; a kill of bothyd leaves the lane to its client.
kj::Promise<void> Clients::holdLane(kj::Own<Session> session, kj::String vm, uint64_t lane,
                                    kj::Own<kj::AsyncIoStream> stream, kj::Duration howLong) {
  co_await session->onEnd().ignoreResult().exclusiveJoin(host.timer.afterDelay(howLong));
  KJ_IF_MAYBE (machine, host.machines.find(vm)) (*machine)->cutLane(lane);
}

kj::Promise<void> Clients::revokeSession(kj::String who, Ledger::SessionFacts& facts) {
  auto found = bothyd.sessions().list().find(facts.id);
  if (found == nullptr) co_return;
  host.trace.line(who, "revoke session ", facts.id);
  facts.revokeAsked = true;
  const bool isCut = co_await bothyd.sessions().revoke(kj::mv(KJ_ASSERT_NONNULL(found)));
  if (!isHeard()) co_return;
  host.trace.line(who, "is told: session ", facts.id, isCut ? " is over" : " is ending");
  facts.revoked = true;
  if (isCut) facts.cut = true;
}

}  // namespace bothy
