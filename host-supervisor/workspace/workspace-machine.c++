// The machine of a workspace that rests: its end, its guest's reboots, and what a bothyd that starts finds.

#include <kj/debug.h>

#include "loop/failure-of.h"
#include "machine/machine-end.h"
#include "workspace/machine-spec.h"
#include "workspace/operations/stored-operation.h"
#include "workspace/steps.h"
#include "workspace/workspace.h"

namespace bothy {

kj::Promise<void> Workspace::removeMachineRow() {
  return journal.update([](WorkspaceJournal::Rows& rows) { rows.machine = nullptr; });
}

VmSpec Workspace::specToAdopt() {
  // An image that went away does not matter to a machine that runs.
  kj::Maybe<Image> image;
  kj::runCatchingExceptions([&]() { image = world.images.find(row().image); });
  auto spec = machineSpec(world, journal, kj::mv(image));
  switch (state()) {
    case WorkspaceState::PAUSED:
      spec.found = VmSpec::Cpus::STAND_STILL;
      break;
    case WorkspaceState::PAUSING:
    case WorkspaceState::RESUMING:
    case WorkspaceState::HIBERNATING:
    case WorkspaceState::STOPPING:
      // Who has to go on sees to it.
      spec.found = VmSpec::Cpus::EITHER;
      break;
    default:
      break;
  }
  return spec;
}

void Workspace::happened(Cause cause, kj::StringPtr detail) {
  KJ_LOG(INFO, "reported by the guest", row().name, row().id, cause, detail);
  journal.append(cause, detail);
}

// ---------------------------------------------------------------------------------------------
// Its end

kj::Promise<void> Workspace::ended(VmEnd end) {
  // A stop that is being stored comes first, and then waits for the end itself.
  auto turn = co_await journal.takeTurn();
  machineEnded(end);
}

void Workspace::machineEnded(VmEnd end) {
  if (state() != WorkspaceState::RUNNING && state() != WorkspaceState::PAUSED) return;
  // A kernel without pvpanic's driver resets the machine.
  if (end == VmEnd::REBOOTED && hasPanic(site.consoleEnd())) end = VmEnd::CRASHED;
  const bool isToStandStill =
      state() == WorkspaceState::PAUSED ||
      slot.current().map([](Machine& machine) { return !machine.mayReboot(); }).orDefault(false);
  slot.retire();
  switch (end) {
    case VmEnd::REBOOTED:
      if (!isToStandStill) {
        reboot();
        return;
      }
      journal.transitionAnyway(
          journal.resting(Rest::STOPPED), Cause::GUEST_REBOOTED,
          kj::str(describe(end), " when it was to be paused: it does not start again by itself"));
      break;
    case VmEnd::POWERED_OFF:
      journal.transitionAnyway(journal.resting(Rest::STOPPED), Cause::GUEST_POWERED_OFF,
                               describe(end));
      break;
    case VmEnd::CRASHED:
    case VmEnd::EXITED:
    case VmEnd::DESTROYED:
      journal.transitionAnyway(journal.resting(Rest::FAILED, describe(end)), Cause::VM_EXITED,
                               describe(end));
      break;
  }
  // Its lease: what has happened is told before its disk is looked for.
  slot.removeLater();
}

// The guest asked for it: the same again, with a boot of its own.
void Workspace::reboot() {
  auto ran = world.timer.now() - slot.watchedSince();
  if (ran >= world.deadlines.steady) rebootPauses = nullptr;
  kj::Duration pause = 0 * kj::SECONDS;
  auto detail = kj::str(describe(VmEnd::REBOOTED));
  KJ_IF_MAYBE (pauses, rebootPauses) {
    pause = pauses->take();
    detail = kj::str(detail, " after ", ran / kj::SECONDS, " s, again: it waits ",
                     pause / kj::SECONDS, " s");
  } else {
    rebootPauses = world.pauses();
  }
  journal.transitionAnyway(StartOperation::beginning(site, StartOperation::Way::REBOOT),
                           Cause::GUEST_REBOOTED, detail);
  // Who still waits for what the boot before set up.
  progress.end();
  progress.begin(Stage::STARTING_VM);
  // Not begin(): this is called by what the slot has in the background.  The start waits for the turn that the caller has, and so
  // for the end of that.
  auto start = storedOperation(site);
  kj::downcast<StartOperation>(*start).waitFirst(pause);
  runner.begin(kj::mv(start));
}

// ---------------------------------------------------------------------------------------------
// What a bothyd that starts finds

// What fails here is this workspace's failure, and no other's.
kj::Promise<void> Workspace::recover() {
  auto failure = co_await failureOf([this]() { return recoverUnlessDamaged(); });
  KJ_IF_MAYBE (e, failure) {
    journal.damage(kj::str("it cannot be recovered: ", lineOf(*e)));
  }
}

kj::Promise<void> Workspace::recoverUnlessDamaged() {
  // What is on the host of one that is damaged is left as it is.
  if (row().damage.size() > 0 && state() != WorkspaceState::DELETING) co_return;
  KJ_IF_MAYBE (operation, journal.operation()) {
    KJ_IF_MAYBE (e, kj::runCatchingExceptions([&]() { resumeOperation(*operation); })) {
      journal.damage(kj::str("its operation cannot be resumed: ", lineOf(*e)));
    }
    co_return;
  }
  if (isUp(state()) && journal.machine() == nullptr) {
    journal.damage(kj::str("what the database has of it is damaged: it has no row of a machine"));
    co_return;
  }
  if (!isUp(state())) {
    // Of a machine that the last bothyd could not end.
    slot.removeLater();
    co_return;
  }
  if (!co_await takeOver()) adoptLater();
}

void Workspace::machineUnreached(kj::StringPtr why) {
  noteUnreached(why);
  adoptLater();
}

void Workspace::adoptLater() {
  reaching = keepAdopting().eagerlyEvaluate([this](kj::Exception&& e) {
    KJ_LOG(ERROR, "a machine is not taken over any more", row().name, e.getDescription());
  });
}

void Workspace::resumeOperation(const OperationRow& operation) {
  // A clock that was set back gives it no more than it had.
  auto left = world.deadlines.start;
  if (operation.deadlineNanos > 0) {
    auto nanos = operation.deadlineNanos - nanosOf(world.clock.now());
    left = kj::min(kj::max(nanos, int64_t(0)) * kj::NANOSECONDS, left);
  }
  auto step = kj::str(operation.step);
  auto resumed = operationOf(site, operation);
  kj::Maybe<kj::Duration> limit;
  switch (KJ_ASSERT_NONNULL(operationKind(operation.kind))) {
    case OperationKind::CREATE:
      progress.begin(Stage::CREATING_DISK);
      limit = left;
      break;
    case OperationKind::START:
      progress.begin(Stage::STARTING_VM);
      limit = kj::downcast<StartOperation>(*resumed).limitAfterRestart(step, left);
      break;
    case OperationKind::DELETE:
    case OperationKind::EXPIRE:
      // Each of its steps may be done again: it needs no knowledge of the one it is at.
      if (resumed->placeOf(step) == nullptr) step = kj::str(Erasure::FIRST_STEP);
      break;
    case OperationKind::RESUME:
    case OperationKind::WAKE:
      progress.begin(Stage::RESUMING);
      break;
    case OperationKind::STOP:
    case OperationKind::RESIZE:
    case OperationKind::PAUSE:
    case OperationKind::HIBERNATE:
      break;
  }
  runner.resume(kj::mv(resumed), step, limit);
}

// Whether it is decided now: it is taken over, or gone.  Not to reach a machine is no reason to end it.
kj::Promise<bool> Workspace::takeOver() {
  auto adoption = co_await slot.tryToAdopt();
  // A stop that is being stored comes first, and ends this.
  auto turn = co_await journal.takeTurn();
  KJ_IF_MAYBE (e, adoption.failure) {
    noteUnreached(lineOf(*e));
    co_return false;
  }
  whyUnreachable = nullptr;
  if (adoption.isThere) {
    adopted();
  } else {
    machineGone();
  }
  co_return true;
}

void Workspace::noteUnreached(kj::StringPtr why) {
  if (whyUnreachable.size() == 0) {
    note(Cause::UNREACHABLE, why);
  } else if (why != whyUnreachable) {
    KJ_LOG(WARNING, "a machine could still not be taken over", row().name, row().id, why);
  }
  whyUnreachable = kj::str(why);
}

kj::Promise<void> Workspace::keepAdopting() {
  auto pauses = world.pauses();
  do {
    co_await pauses.next();
  } while (!co_await takeOver());
}

void Workspace::adopted() {
  journal.append(Cause::ADOPTED, nullptr);
  KJ_LOG(INFO, "workspace adopted", row().name, row().id);
  slot.watch();
  if (state() == WorkspaceState::PAUSED) return;
  greeting = KJ_ASSERT_NONNULL(slot.current())
                 .control()
                 .ignoreResult()
                 .eagerlyEvaluate([this](kj::Exception&& e) {
                   KJ_LOG(WARNING, "the agent of an adopted workspace does not answer", row().name,
                          e.getDescription());
                 });
}

void Workspace::machineGone() {
  journal.transitionAnyway(journal.resting(Rest::STOPPED), Cause::RECOVERED, MACHINE_GONE);
  slot.removeLater();
}

}  // namespace bothy
