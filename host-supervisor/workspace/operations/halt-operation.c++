#include "workspace/operations/halt-operation.h"

#include <kj/debug.h>

#include "loop/failure-of.h"

namespace bothy {
namespace {

constexpr kj::StringPtr IDLE = "idle"_kj;

}  // namespace

kj::StringPtr HaltOperation::parametersOf(Cause cause) {
  return cause == Cause::IDLE ? IDLE : ""_kj;
}

Cause HaltOperation::causeOf(kj::StringPtr parameters) {
  return parameters == IDLE ? Cause::IDLE : Cause::REQUEST;
}

kj::Promise<size_t> HaltOperation::resume(size_t) {
  co_await machine().ignoreResult();
  co_return 0;
}

kj::Promise<kj::Own<Machine>> HaltOperation::machine() {
  if (site.machine.current() == nullptr) {
    isGone = !co_await site.machine.adopt();
    if (isGone) {
      kj::throwFatalException(KJ_EXCEPTION(FAILED, "the machine is gone"));
    }
  }
  co_return kj::addRef(KJ_ASSERT_NONNULL(site.machine.current()));
}

kj::Promise<void> HaltOperation::unlessEnded(Machine& machine, kj::Promise<void> work) {
  return work.exclusiveJoin(machine.onEnd().then(
      [](VmEnd) -> kj::Promise<void> { return KJ_EXCEPTION(FAILED, "the machine has ended"); }));
}

kj::Promise<Operation::Settled> HaltOperation::settle(kj::Maybe<kj::Exception> failure) {
  if (isGone) co_return co_await settleGone();
  auto outcome = Outcome::SUCCEEDED;
  KJ_IF_MAYBE (e, failure) {
    outcome = Outcome::FAILED;
    KJ_IF_MAYBE (current, site.machine.current()) {
      auto machine = kj::addRef(*current);
      // Without a limit: dropped, it would leave it open what the CPUs do.
      auto remaining = co_await failureOf([&]() { return unlessEnded(*machine, undo(*machine)); });
      // It was done all the same, and could not be undone.
      if (remaining != nullptr && !machine->isEnding() && isDone(*machine)) {
        outcome = Outcome::SUCCEEDED;
      }
      // What its guest was about to do by its end does not come before what the client wants.
      const bool isToHalt =
          operationKind == OperationKind::PAUSE || operationKind == OperationKind::HIBERNATE;
      if (isToHalt && machine->isEnding()) machine->refuseReboot();
      // Lanes can be had of one that runs.
      if (!machine->isVmPaused()) machine->openLanes();
    }
    if (outcome == Outcome::FAILED) whyFailed = lineOf(*e);
  }
  auto text =
      outcome == Outcome::SUCCEEDED ? detail() : detailOfFailure(KJ_ASSERT_NONNULL(whyFailed));
  auto next = [this, outcome, now = nanosOf(site.world.clock.now())]() {
    auto rows = rowsAfter(outcome);
    KJ_IF_MAYBE (machine, rows.machine) {
      if (rows.row.rest == Rest::PAUSED && machine->pausedNanos == 0) machine->pausedNanos = now;
    }
    return rows;
  };
  auto turn = co_await site.journal.settle(kj::mv(next), cause, kj::mv(text));
  if (site.machine.current() != nullptr) {
    site.machine.watch();
  } else {
    site.listener.machineUnreached(KJ_ASSERT_NONNULL(whyFailed));
  }
  co_return Settled{kj::mv(turn), nullptr};
}

kj::Promise<Operation::Settled> HaltOperation::settleGone() {
  whyFailed = kj::str(whatIsGone);
  const bool isReleased = co_await site.machine.giveUp(MachineSlot::Left::NOTHING);
  auto next = [this, isReleased]() {
    auto rows = site.journal.resting(Rest::STOPPED);
    if (isReleased) rows.machine = nullptr;
    return rows;
  };
  auto turn = co_await site.journal.settle(kj::mv(next), Cause::RECOVERED, kj::str(whatIsGone));
  co_return Settled{kj::mv(turn), nullptr};
}

}  // namespace bothy
