#include "support/fake-activity.h"

namespace bothy {
namespace {

constexpr kj::StringPtr ID = "fedcba9876543210fedcba9876543210"_kj;
constexpr int64_t NANOS = 1'700'000'000'000'000'000;

void describe(rpc::AwakeReason::Builder lock) {
  lock.setKind(rpc::AwakeReason::Kind::WAKE_LOCK);
  lock.setId(ID);
  lock.setWho("uid 0");
  lock.setDetail("evil\x1b[2J");
  lock.setSinceNanos(NANOS);
  lock.setUntilNanos(NANOS + 7'200'000'000'000);
}

}  // namespace

class FakeActivity::Server final: public rpc::WorkspaceActivity::Server {
public:
  explicit Server(FakeActivity& fake) : fake(fake) {}

  kj::Promise<void> why(WhyContext context) override {
    auto outcome = context.getResults().initOutcome();
    if (context.getParams().getWorkspace() == "demo") {
      describe(outcome.initFound());
    } else {
      outcome.setAbsent();
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> keepAwake(KeepAwakeContext context) override {
    auto params = context.getParams();
    fake.forMillis = params.getForMillis();
    fake.reason = kj::str(params.getReason());
    auto outcome = context.getResults().initOutcome();
    if (params.getWorkspace() != "demo") {
      outcome.setAbsent();
    } else if (fake.isFull) {
      outcome.setTooMany();
    } else if (params.getForMillis() < 1000) {
      outcome.setInvalid("the time is too short\x1b");
    } else {
      bothy::describe(outcome.initTaken());
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> release(ReleaseContext context) override {
    context.getResults().setReleased(context.getParams().getId() == ID);
    return kj::READY_NOW;
  }
  kj::Promise<void> changePolicy(ChangePolicyContext context) override {
    auto params = context.getParams();
    fake.asked.setRoot(params);
    auto outcome = context.getResults().initOutcome();
    if (params.getWorkspace() != "demo") {
      outcome.setAbsent();
    } else if (params.getChanges()[0].getFigure() == rpc::IdleFigure::WARN_BEFORE) {
      outcome.setInvalid("warn-before is refused\x1b");
    } else {
      auto told = outcome.initChanged();
      describe(told);
      auto own = told.initOwn(1);
      own.set(0, params.getChanges()[0].getFigure());
    }
    return kj::READY_NOW;
  }

private:
  FakeActivity& fake;

  void describe(rpc::Wakefulness::Builder told) {
    auto policy = told.initPolicy();
    policy.setPauseAfter(1800);
    policy.setWarnBefore(90);
    policy.setHibernateAfter(600);
    policy.setSessionGrace(60);
    policy.setMostGuestWake(43200);
    policy.setCountSessions(true);
    policy.setCountWakeLocks(true);
    if (fake.isPausedByRule) {
      told.setState(fake.isBeingPaused ? rpc::WorkspaceState::PAUSING
                                       : rpc::WorkspaceState::PAUSED);
      auto past = told.getPast().initStep();
      past.setRule(rpc::IdleRule::PAUSE);
      past.setAtNanos(NANOS);
      if (fake.isBeingPaused) return;
      auto next = told.getNext().initStep();
      next.setRule(rpc::IdleRule::HIBERNATE);
      next.setAtNanos(NANOS + 600'000'000'000);
      next.setFailure("the disk is full\x1b");
      return;
    }
    told.setState(rpc::WorkspaceState::RUNNING);
    auto reasons = told.initReasons(2);
    reasons[0].setKind(rpc::AwakeReason::Kind::INPUT);
    reasons[0].setSinceNanos(NANOS);
    reasons[0].setCounts(false);
    bothy::describe(reasons[1]);
    auto next = told.getNext().initStep();
    next.setRule(rpc::IdleRule::PAUSE);
    next.setAtNanos(NANOS + 9'000'000'000'000);
  }
};

rpc::WorkspaceActivity::Client FakeActivity::client() {
  return kj::heap<Server>(*this);
}

}  // namespace bothy
