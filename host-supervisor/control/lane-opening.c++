#include "control/lane-opening.h"

#include "control/translation.h"

namespace bothy {
namespace {

// A lane for which `grant` was said; or the generation that the agent speaks, which is older than `oldest`.
kj::Promise<kj::OneOf<AgentLink::OpenedLane, uint16_t>> openLane(Machine& machine, LaneGrant grant,
                                                                 uint16_t oldest) {
  // No older one is served.
  if (oldest > rpc::OLDEST_GENERATION) {
    const auto spoken = co_await machine.generation();
    if (spoken < oldest) co_return spoken;
  }
  co_return co_await machine.openLane(kj::mv(grant));
}

// Whether whoever has such a lane uses the workspace: not who may only look, or see how the machine is.
bool isUse(const LaneGrant& grant) {
  using rpc::Verb;
  for (auto verb : {Verb::TERMINALS, Verb::PROGRAMS, Verb::READ_FILES, Verb::WRITE_FILES,
                    Verb::READ_BENEATH, Verb::WRITE_BENEATH}) {
    if (grant.verbs.has(verb)) return true;
  }
  return false;
}

// Or is just being revoked.
bool hasEnded(kj::Maybe<kj::Own<Session>>& session) {
  KJ_IF_MAYBE (whose, session) return (*whose)->isClosed();
  return false;
}

LaneKeeper::Withdrawal withdrawalBy(Session& session) {
  switch (co_await session.onEnd()) {
    case SessionEnd::EXPIRED:
      co_return rpc::LaneEnd::EXPIRED;
    case SessionEnd::REVOKED:
      co_return rpc::LaneEnd::REVOKED;
    case SessionEnd::NONE:
    case SessionEnd::WORKSPACE_DELETED:
      break;
  }
  // It ends with its machine.
  co_await kj::Promise<void>(kj::NEVER_DONE);
  KJ_UNREACHABLE;
}

}  // namespace

kj::Promise<LaneOpening::Outcome> LaneOpening::open(kj::Own<Workspace> workspace, Granted granted,
                                                    ClientIdentity client, kj::Maybe<Waking> waking,
                                                    kj::Maybe<kj::Own<Session>> session) {
  KJ_IF_MAYBE (why, granted.tryGet<NotAllowed>()) co_return *why;
  KJ_IF_MAYBE (wanted, waking) {
    const bool hasExpired = workspace->state() == WorkspaceState::EXPIRED && wanted->makesAnew;
    if (isHalted(workspace->state()) || hasExpired) {
      // What cannot be had wakes nobody.
      KJ_IF_MAYBE (why, granted.tryGet<Unsupported>()) co_return *why;
      if (hasEnded(session)) co_return Ended();
      kj::Maybe<Workspace::StartOutcome> answer;
      auto waiting =
          workspace->wake(kj::mv(wanted->progress), wanted->actor, wanted->makesAnew)
              .then([&answer](Workspace::StartOutcome&& woken) { answer = kj::mv(woken); });
      KJ_IF_MAYBE (whose, session) {
        waiting = waiting.exclusiveJoin((*whose)->onEnd().ignoreResult());
      }
      co_await waiting;
      if (hasEnded(session)) co_return Ended();
      auto& woken = KJ_ASSERT_NONNULL(answer);
      const auto what = hasExpired ? "it has expired and could not be made anew: "_kj
                                   : "it could not be resumed: "_kj;
      KJ_IF_MAYBE (report, woken.tryGet<kj::Own<StartReport>>()) {
        KJ_IF_MAYBE (failure, (*report)->failure) {
          co_return Unreachable{kj::str(what, failure->message)};
        }
      }
      KJ_IF_MAYBE (shortage, woken.tryGet<Shortage>()) {
        co_return Unreachable{kj::str(what, shortage->why)};
      }
    }
  }
  if (workspace->unreachable().size() > 0) co_return Unreachable{kj::str(workspace->unreachable())};
  // Before anything is waited for: a workspace to which somebody connects is not paused because nobody does.
  kj::Own<void> presence;
  KJ_IF_MAYBE (grant, granted.tryGet<LaneGrant>()) {
    if (isUse(*grant) && isUp(workspace->state())) {
      presence = activity.come(workspace->row().id,
                               Visitor{kj::str(grant->session), kj::str(grant->actor)});
    }
  }
  // Nothing is cut before it goes on.
  if (isHalted(workspace->state())) co_return NotRunning{workspace->state()};
  if (sessions.mayHaveUncut(workspace->row().id) &&
      co_await sessions.remainUncut(workspace->row().id)) {
    co_return Unreachable{kj::str("lanes of a session that has ended could not be cut yet")};
  }
  auto running = workspace->machine();
  if (running == nullptr) co_return NotRunning{workspace->state()};
  auto& machine = KJ_ASSERT_NONNULL(running);
  if (machine->isStalled()) co_return Stalled();
  KJ_IF_MAYBE (why, granted.tryGet<Unsupported>()) co_return *why;
  auto& grant = granted.get<LaneGrant>();
  // Meanwhile.
  if (hasEnded(session)) co_return Ended();
  KJ_IF_MAYBE (whose, session) {
    // No lane outlives its session, whoever is there to end it.
    const auto left = kj::max(sessions.timeLeft(**whose), 1 * kj::MILLISECONDS);
    grant.lifetime = kj::min(grant.lifetime.orDefault(left), left);
  }
  // Taken before others may run.
  auto place = lanes.requireRoom(client);
  const auto oldest = oldestGenerationFor(grant, newerVerbs);
  kj::Maybe<kj::OneOf<AgentLink::OpenedLane, uint16_t>> opened;
  kj::Maybe<kj::Exception> fault;
  auto halted = machine->onHalt().ignoreResult().catch_(
      [](kj::Exception&&) -> kj::Promise<void> { return kj::NEVER_DONE; });
  co_await openLane(*machine, kj::mv(grant), oldest)
      .then([&opened](kj::OneOf<AgentLink::OpenedLane, uint16_t>&& lane) { opened = kj::mv(lane); },
            [&fault](kj::Exception&& e) { fault = kj::mv(e); })
      .exclusiveJoin(kj::mv(halted));
  if (machine->isPaused()) co_return NotRunning{workspace->state()};
  const bool isNeither = opened == nullptr && fault == nullptr;
  // Since then: it answers nobody, and a lane that begins now would never hear of it.
  if (isNeither || machine->isStalled()) co_return Stalled();
  KJ_IF_MAYBE (e, fault) {
    // This process has no files or no memory left: that says nothing of the workspace.
    if (e->getType() == kj::Exception::Type::OVERLOADED) kj::throwFatalException(kj::mv(*e));
    const auto why = e->getDescription();
    lanes.log.noAnswer(workspace->row().name, why, client);
    co_return Unreachable{kj::str(why)};
  }
  auto& lane = KJ_ASSERT_NONNULL(opened);
  KJ_IF_MAYBE (generation, lane.tryGet<uint16_t>()) co_return AgentTooOld{*generation};
  kj::Maybe<LaneKeeper::Withdrawal> withdrawal;
  KJ_IF_MAYBE (whose, session) withdrawal = withdrawalBy(**whose);
  // Also where nobody gets it: it is closed as any other.
  auto kept = lanes.keep(kj::mv(lane.get<AgentLink::OpenedLane>()), kj::mv(machine),
                         {client, kj::mv(place), kj::mv(presence)}, kj::mv(withdrawal));
  if (hasEnded(session)) co_return Ended();
  co_return kj::mv(kept);
}

void fill(rpc::Supervisor::ConnectOutcome::Builder outcome, const LaneOpening::Outcome& from) {
  KJ_SWITCH_ONEOF(from) {
    KJ_CASE_ONEOF(lane, rpc::Lane::Client) {}
    KJ_CASE_ONEOF(rests, LaneOpening::NotRunning) {
      outcome.setNotRunning(toRpc(rests.state));
    }
    KJ_CASE_ONEOF(unreachable, LaneOpening::Unreachable) {
      outcome.setUnreachable(unreachable.why);
    }
    KJ_CASE_ONEOF(stalled, LaneOpening::Stalled) {
      outcome.setStalled(STALL_REASON);
    }
    KJ_CASE_ONEOF(unsupported, LaneOpening::Unsupported) {
      outcome.setUnsupported(unsupported.why);
    }
    KJ_CASE_ONEOF(refused, LaneOpening::NotAllowed) {
      outcome.setNotAllowed(refused.why);
    }
    KJ_CASE_ONEOF(old, LaneOpening::AgentTooOld) {
      outcome.setAgentTooOld(old.generation);
    }
    KJ_CASE_ONEOF(ended, LaneOpening::Ended) {
      outcome.setAbsent();
    }
  }
}

}  // namespace bothy
