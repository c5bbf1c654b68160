#include "control/activity-facet.h"

#include <kj/debug.h>

#include "control/translation.h"

namespace bothy {

// The numbers of both are fixed and the same.
static_assert(static_cast<int>(IdleRule::EXPIRE) == static_cast<int>(rpc::IdleRule::EXPIRE));
static_assert(static_cast<int>(IdleFigure::COUNT_WAKE_LOCKS) ==
              static_cast<int>(rpc::IdleFigure::COUNT_WAKE_LOCKS));
static_assert(static_cast<int>(Wakefulness::Reason::Kind::SETTING_UP) ==
              static_cast<int>(rpc::AwakeReason::Kind::SETTING_UP));
static_assert(MAX_IDLE_SECONDS == rpc::MAX_IDLE_SECONDS);

void fill(rpc::IdlePolicy::Builder told, const IdlePolicy& policy) {
  told.setPauseAfter(policy.pauseAfter);
  told.setWarnBefore(policy.warnBefore);
  told.setHibernateAfter(policy.hibernateAfter);
  told.setExpireAfter(policy.expireAfter);
  told.setWarnExpiry(policy.warnExpiry);
  told.setSessionGrace(policy.sessionGrace);
  told.setMostGuestWake(policy.mostGuestWake);
  told.setCountSessions(policy.countSessions != 0);
  told.setCountInput(policy.countInput != 0);
  told.setCountCommands(policy.countCommands != 0);
  told.setCountWakeLocks(policy.countWakeLocks != 0);
}

void fill(rpc::Wakefulness::Builder told, const Wakefulness& from) {
  told.setState(toRpc(from.state));
  auto reasons = told.initReasons(from.reasons.size());
  for (auto i : kj::indices(from.reasons)) {
    auto& reason = from.reasons[i];
    auto each = reasons[i];
    each.setKind(static_cast<rpc::AwakeReason::Kind>(reason.kind));
    each.setId(reason.id);
    each.setWho(reason.who);
    each.setDetail(reason.detail);
    each.setSinceNanos(reason.sinceNanos);
    each.setUntilNanos(reason.untilNanos);
    each.setCounts(reason.counts);
  }
  told.setIdleNanos(from.idleNanos);
  KJ_IF_MAYBE (next, from.next) {
    auto step = told.getNext().initStep();
    step.setRule(static_cast<rpc::IdleRule>(next->rule));
    step.setAtNanos(next->atNanos);
    step.setIsWarned(next->isWarned);
    step.setFailure(next->failure);
  }
  KJ_IF_MAYBE (past, from.past) {
    auto step = told.getPast().initStep();
    step.setRule(static_cast<rpc::IdleRule>(past->rule));
    step.setAtNanos(past->atNanos);
  }
  fill(told.initPolicy(), from.policy);
  kj::Vector<rpc::IdleFigure> own;
  for (size_t i = 0; i < IDLE_FIGURES; i++) {
    if (from.overrides.figures[i] != nullptr) own.add(static_cast<rpc::IdleFigure>(i));
  }
  auto list = told.initOwn(own.size());
  for (auto i : kj::indices(own)) list.set(i, own[i]);
}

kj::Maybe<kj::String> ActivityFacet::idOf(kj::StringPtr name) {
  return manager.view(name).map([](const WorkspaceView& view) { return kj::str(view.id); });
}

kj::Promise<void> ActivityFacet::why(WhyContext context) {
  KJ_IF_MAYBE (id, idOf(context.getParams().getWorkspace())) {
    auto told = co_await keeper.why(*id);
    KJ_IF_MAYBE (wakefulness, told) {
      fill(context.getResults().initOutcome().initFound(), *wakefulness);
      co_return;
    }
  }
  context.getResults().initOutcome().setAbsent();
}

kj::Promise<void> ActivityFacet::keepAwake(KeepAwakeContext context) {
  auto params = context.getParams();
  auto id = idOf(params.getWorkspace());
  if (id == nullptr) {
    context.getResults().initOutcome().setAbsent();
    co_return;
  }
  WakeLockWish wish;
  wish.forMillis = params.getForMillis();
  wish.reason = kj::str(params.getReason());
  wish.holder = actorOf(client);
  auto result = co_await keeper.takeLock(KJ_ASSERT_NONNULL(id), kj::mv(wish));
  auto outcome = context.getResults().initOutcome();
  KJ_SWITCH_ONEOF(result) {
    KJ_CASE_ONEOF(row, WakeLockRow) {
      auto taken = outcome.initTaken();
      taken.setKind(rpc::AwakeReason::Kind::WAKE_LOCK);
      taken.setId(row.id);
      taken.setWho(row.holder);
      taken.setDetail(row.reason);
      taken.setSinceNanos(row.takenNanos);
      taken.setUntilNanos(row.untilNanos);
    }
    KJ_CASE_ONEOF(absent, ActivityKeeper::Absent) {
      outcome.setAbsent();
    }
    KJ_CASE_ONEOF(invalid, ActivityKeeper::Invalid) {
      outcome.setInvalid(invalid.why);
    }
    KJ_CASE_ONEOF(tooMany, ActivityKeeper::TooMany) {
      outcome.setTooMany();
    }
  }
}

kj::Promise<void> ActivityFacet::release(ReleaseContext context) {
  auto params = context.getParams();
  bool isReleased = false;
  KJ_IF_MAYBE (id, idOf(params.getWorkspace())) {
    isReleased = co_await keeper.releaseLock(*id, params.getId(), actorOf(client));
  }
  context.getResults().setReleased(isReleased);
}

kj::Promise<void> ActivityFacet::changePolicy(ChangePolicyContext context) {
  auto params = context.getParams();
  auto id = idOf(params.getWorkspace());
  kj::Vector<ActivityKeeper::FigureWish> wishes;
  for (auto change : params.getChanges()) {
    const auto figure = static_cast<size_t>(change.getFigure());
    KJ_REQUIRE(figure < IDLE_FIGURES, "this bothyd knows no such figure of a policy", figure);
    ActivityKeeper::FigureWish wish{static_cast<IdleFigure>(figure), nullptr};
    if (change.isValue()) wish.value = change.getValue();
    wishes.add(wish);
  }
  if (id == nullptr) {
    context.getResults().initOutcome().setAbsent();
    co_return;
  }
  auto result =
      co_await keeper.changePolicy(KJ_ASSERT_NONNULL(id), wishes.releaseAsArray(), actorOf(client));
  auto outcome = context.getResults().initOutcome();
  KJ_SWITCH_ONEOF(result) {
    KJ_CASE_ONEOF(changed, Wakefulness) {
      fill(outcome.initChanged(), changed);
    }
    KJ_CASE_ONEOF(absent, ActivityKeeper::Absent) {
      outcome.setAbsent();
    }
    KJ_CASE_ONEOF(invalid, ActivityKeeper::Invalid) {
      outcome.setInvalid(invalid.why);
    }
  }
}

}  // namespace bothy
