// Pausing and resuming.

#include <kj/debug.h>

#include "workspace/operations/resume-operation.h"
#include "workspace/operations/stored-operation.h"
#include "workspace/operations/wake-operation.h"
#include "workspace/workspace.h"

namespace bothy {

kj::Promise<Workspace::Turn> Workspace::beginPause(Turn turn, kj::String actor,
                                                   kj::Maybe<kj::String> whyIdle) {
  const auto cause = whyIdle == nullptr ? Cause::REQUEST : Cause::IDLE;
  co_await journal.transition(askedBy(actor, PauseOperation::beginning(site, cause)), cause,
                              kj::mv(whyIdle).orDefault(kj::String()));
  begin(storedOperation(site));
  co_return kj::mv(turn);
}

kj::Promise<Workspace::PauseOutcome> Workspace::pause(kj::StringPtr actor, kj::Maybe<ByRule> rule) {
  auto self = addRef();
  auto turn = co_await journal.takeTurn();
  switch (replyTo(Wish::PAUSE, state())) {
    case Reply::ALREADY:
      co_return Paused();
    case Reply::BUSY:
    case Reply::SUPERSEDE:
      co_return Busy{state()};
    case Reply::BEGIN:
      if (!isDue(rule)) co_return Busy{state()};
      turn = co_await keepOn(beginPause(kj::mv(turn), kj::str(actor), detailOf(rule)));
      break;
    case Reply::JOIN:
      if (runner.current() == nullptr) co_return Busy{state()};
      break;
  }
  auto operation = underWay<PauseOperation>();
  auto ending = endWithin(world.deadlines.call, *operation);
  turn = nullptr;
  auto ended = co_await ending;
  if (ended == nullptr) co_return underwayOf(*operation);
  KJ_IF_MAYBE (kind, KJ_ASSERT_NONNULL(ended).supersededBy) co_return supersededBy(*kind);
  KJ_IF_MAYBE (why, operation->failure()) co_return NotPaused{kj::str(*why)};
  co_return Paused();
}

kj::Promise<Workspace::Turn> Workspace::beginResume(Turn turn, kj::String actor) {
  const bool isHibernated = state() == WorkspaceState::HIBERNATED;
  auto next = isHibernated ? WakeOperation::beginning(site) : ResumeOperation::beginning(site);
  co_await journal.transition(askedBy(actor, kj::mv(next)), Cause::REQUEST);
  progress.begin(Stage::RESUMING);
  begin(storedOperation(site));
  co_return kj::mv(turn);
}

// One that is paused has its room.
kj::Promise<Workspace::StartOutcome> Workspace::resumeInTurn(Turn turn,
                                                             kj::Maybe<kj::Own<Progress>> listener,
                                                             kj::String actor) {
  if (state() == WorkspaceState::HIBERNATED) {
    KJ_IF_MAYBE (shortage, journal.admit(WakeOperation::beginning(site))) {
      co_return kj::mv(*shortage);
    }
  }
  turn = co_await keepOn(beginResume(kj::mv(turn), kj::mv(actor)));
  auto outcome = join(kj::mv(listener));
  turn = nullptr;
  co_return co_await outcome;
}

kj::Promise<Workspace::StartOutcome> Workspace::resume(kj::Maybe<kj::Own<Progress>> listener,
                                                       kj::StringPtr actor) {
  auto self = addRef();
  auto turn = co_await journal.takeTurn();
  switch (replyTo(Wish::RESUME, state())) {
    case Reply::ALREADY:
      co_return kj::refcounted<StartReport>();
    case Reply::BUSY:
    case Reply::SUPERSEDE:
      co_return Busy{state()};
    case Reply::JOIN:
      break;
    case Reply::BEGIN:
      co_return co_await resumeInTurn(kj::mv(turn), kj::mv(listener), kj::str(actor));
  }
  auto outcome = join(kj::mv(listener));
  turn = nullptr;
  co_return co_await outcome;
}

kj::Promise<Workspace::StartOutcome> Workspace::outcomeOfResume(kj::Own<void> listening) {
  auto self = addRef();
  if (KJ_ASSERT_NONNULL(runner.current()).kind() == nameOf(OperationKind::WAKE)) {
    co_return co_await outcomeOfWake(kj::mv(listening));
  }
  auto operation = underWay<ResumeOperation>();
  auto ended = co_await endWithin(world.deadlines.call, *operation);
  if (ended == nullptr) co_return underwayOf(*operation);
  KJ_IF_MAYBE (kind, KJ_ASSERT_NONNULL(ended).supersededBy) co_return supersededBy(*kind);
  auto report = kj::refcounted<StartReport>();
  KJ_IF_MAYBE (why, operation->failure()) {
    report->failure =
        StartReport::Failure{Stage::RESUMING, StartFault::OTHER, kj::str(*why), nullptr};
  }
  co_return kj::mv(report);
}

kj::Promise<Workspace::StartOutcome> Workspace::wake(kj::Maybe<kj::Own<Progress>> listener,
                                                     kj::StringPtr actor, bool makesAnew) {
  auto self = addRef();
  auto turn = co_await journal.takeTurn();
  if (state() == WorkspaceState::EXPIRED && makesAnew) {
    turn = nullptr;
    co_return co_await start(kj::mv(listener), actor);
  }
  const bool isOnItsWay =
      state() == WorkspaceState::PAUSING || state() == WorkspaceState::HIBERNATING;
  if (isOnItsWay && runner.current() != nullptr) {
    // Not its outcome matters, but its state.
    auto halting = kj::addRef(KJ_ASSERT_NONNULL(runner.current()));
    auto ending = endWithin(world.deadlines.call, *halting);
    turn = nullptr;
    auto ended = co_await ending;
    if (ended == nullptr) co_return underwayOf(*halting);
  }
  turn = nullptr;
  co_return co_await resume(kj::mv(listener), actor);
}

kj::Promise<void> Workspace::whenResumed() {
  auto self = addRef();
  while (isHalted(state()) && !journal.isRemoved()) co_await stateWaiters.wait();
}

}  // namespace bothy
