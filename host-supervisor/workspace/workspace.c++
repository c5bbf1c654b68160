#include "workspace/workspace.h"

#include <kj/debug.h>

#include "workspace/steps.h"

namespace bothy {
namespace {

// With which an operation is cancelled.
constexpr kj::StringPtr BY_STOP = "it was stopped before it ran"_kj;
constexpr kj::StringPtr BY_DELETE = "the workspace is being deleted"_kj;

}  // namespace

Workspace::Workspace(World& world, Owner& owner, WorkspaceRow row, MachineRow machine)
    : world(world),
      owner(owner),
      record(kj::mv(row)),
      machineRecord(kj::mv(machine)),
      storedState(record.state) {}

Workspace::~Workspace() noexcept(false) {}

void Workspace::reach(Stage reached, size_t before) {
  stage = reached;
  startsBefore = before;
  auto elapsed = world.timer.now() - stageBase;
  for (auto& listener : listeners) listener->stage(reached, elapsed, before);
}

void Workspace::listen(kj::Maybe<kj::Own<Progress>> progress) {
  KJ_IF_MAYBE (p, progress) {
    if (starting != nullptr) (*p)->stage(stage, world.timer.now() - stageBase, startsBefore);
    listeners.add(kj::mv(*p));
  }
}

void Workspace::supersede(Wish wish) {
  canceler.cancel(wish == Wish::STOP ? BY_STOP : BY_DELETE);
  adopting = nullptr;
  watch = nullptr;
  greeting = nullptr;
  listeners.clear();
  whyUnreachable = nullptr;
}

Superseded Workspace::supersededBy(kj::Exception&& e) {
  if (e.getDescription() == BY_STOP) return {Wish::STOP};
  if (e.getDescription() == BY_DELETE) return {Wish::DELETE};
  kj::throwFatalException(kj::mv(e));
}

kj::Maybe<kj::Own<Machine>> Workspace::machine() {
  if (record.state != WorkspaceState::RUNNING) return nullptr;
  KJ_IF_MAYBE (m, current) {
    return kj::addRef(**m);
  }
  return nullptr;
}

bool Workspace::isStalled() {
  KJ_IF_MAYBE (m, machine()) {
    return (*m)->isStalled();
  }
  return false;
}

// ---------------------------------------------------------------------------------------------
// The machine

void Workspace::take(kj::Own<RunningVm> vm) {
  // Another bothyd may have numbered lanes of this boot before.
  uint64_t firstLane;
  world.randomness.fill(kj::arrayPtr(&firstLane, 1).asBytes());
  current =
      kj::refcounted<Machine>(world.timer, record.name, kj::mv(vm),
                              kj::heapArray<kj::byte>(machineRecord.secret), firstLane >> 1 | 1);
}

void Workspace::watchMachine() {
  watch = awaitEnd().eagerlyEvaluate([this](kj::Exception&& e) {
    KJ_LOG(ERROR, "a machine is not watched any more", record.name, e.getDescription());
  });
}

kj::Promise<void> Workspace::awaitEnd() {
  auto end = co_await KJ_ASSERT_NONNULL(current)->onEnd();
  // A stop that is being stored comes first, and then waits for the end itself.
  auto turn = co_await turns->take();
  machineEnded(end);
}

void Workspace::machineEnded(VmEnd end) {
  if (record.state != WorkspaceState::RUNNING) return;
  retireMachine();
  // A kernel without pvpanic's driver resets the machine.
  if (end == VmEnd::REBOOTED && hasPanicked()) end = VmEnd::CRASHED;
  switch (end) {
    case VmEnd::REBOOTED:
      reboot();
      return;
    case VmEnd::POWERED_OFF:
      transitionAnyway(Happening::MACHINE_ENDED, Cause::GUEST_POWERED_OFF, describe(end));
      return;
    case VmEnd::CRASHED:
    case VmEnd::EXITED:
    case VmEnd::DESTROYED:
      transitionAnyway(Happening::MACHINE_BROKE, Cause::VM_EXITED, describe(end));
      return;
  }
}

void Workspace::retireMachine() {
  KJ_IF_MAYBE (m, current) {
    (*m)->retire();
  }
  current = nullptr;
}

// ---------------------------------------------------------------------------------------------
// Stopping

kj::Promise<void> Workspace::quiet() {
  auto self = addRef();
  co_await turns->take().ignoreResult();
}

kj::Promise<Workspace::StopOutcome> Workspace::stop(uint32_t graceMillis) {
  return keepOn(kj::evalNow([&]() { return stopOrJoin(graceMillis); }));
}

kj::Promise<Workspace::StopOutcome> Workspace::stopOrJoin(uint32_t graceMillis) {
  auto turn = co_await turns->take();
  switch (replyTo(Wish::STOP, record.state)) {
    case Reply::ALREADY:
      co_return StopKind::ALREADY;
    case Reply::BUSY:
      co_return Busy{record.state};
    case Reply::BEGIN: {
      bool boots = record.state == WorkspaceState::STARTING;
      co_await transition(Happening::STOP_BEGAN, Cause::REQUEST);
      supersede(Wish::STOP);
      stopping =
          canceler.wrap(kj::evalNow([&]() { return boots ? runAbort() : runStop(graceMillis); }))
              .fork();
      break;
    }
    case Reply::JOIN:
      break;
  }
  auto outcome = KJ_ASSERT_NONNULL(stopping).addBranch().then(
      [](StopKind kind) -> StopOutcome { return kind; },
      [](kj::Exception&& e) -> StopOutcome { return supersededBy(kj::mv(e)); });
  turn = nullptr;
  co_return co_await outcome;
}

kj::Promise<StopKind> Workspace::runStop(uint32_t graceMillis) {
  auto end = VmEnd::DESTROYED;
  KJ_IF_MAYBE (machine, current) {
    end = co_await endMachine(**machine, graceMillis);
  } else {
    co_await removeLeftMachine();
  }
  auto turn = co_await settle(Happening::MACHINE_ENDED, Cause::REQUEST, kj::str(describe(end)));
  retireMachine();
  // A guest that was about to reboot when the order came has ended in order too.
  const bool isOrderly = end == VmEnd::POWERED_OFF || (end == VmEnd::REBOOTED && !hasPanicked());
  co_return isOrderly ? StopKind::ORDERLY : StopKind::FORCED;
}

kj::Promise<StopKind> Workspace::runAbort() {
  retireMachine();
  co_await removeLeftMachine();
  co_await settle(Happening::MACHINE_ENDED, Cause::REQUEST, kj::str(BY_STOP));
  co_return hasMachine ? StopKind::FORCED : StopKind::ALREADY;
}

// In order, and after the grace by force.
kj::Promise<VmEnd> Workspace::endMachine(Machine& machine, uint32_t graceMillis) {
  kj::Maybe<VmEnd> ended;
  kj::Maybe<kj::Exception> failure;
  try {
    co_await requestPowerOff(machine, graceMillis);
    ended = co_await within(world.timer,
                            graceMillis * kj::MILLISECONDS + world.deadlines.powerOffMargin,
                            "the machine did not turn itself off", machine.onEnd());
  } catch (...) {
    failure = kj::getCaughtExceptionAsKj();
  }
  KJ_IF_MAYBE (e, failure) {
    KJ_LOG(WARNING, "a machine does not stop in order and is ended", record.name,
           e->getDescription());
  }
  // Also ends what fell between: a machine that went away while it was asked.
  for (RetryPauses pauses(world); ended == nullptr;) {
    kj::Maybe<kj::Exception> stuck;
    try {
      co_await within(world.timer, world.deadlines.destroyVm, "the machine could not be ended",
                      machine.destroy());
      ended = co_await machine.onEnd();
    } catch (...) {
      stuck = kj::getCaughtExceptionAsKj();
    }
    KJ_IF_MAYBE (e, stuck) {
      KJ_LOG(ERROR, "a machine cannot be ended; trying again", record.name, e->getDescription());
      co_await pauses.next();
    }
  }
  co_return KJ_ASSERT_NONNULL(ended);
}

kj::Promise<void> Workspace::requestPowerOff(Machine& machine, uint32_t graceMillis) {
  auto agent = co_await machine.control();
  auto request = agent.powerOffRequest();
  request.setGraceMillis(graceMillis);
  // A machine that is quick breaks the connection before its answer is through: then onEnd() tells.
  auto order = request.send().ignoreResult().catch_([](kj::Exception&& e) -> kj::Promise<void> {
    if (e.getType() == kj::Exception::Type::DISCONNECTED) return kj::READY_NOW;
    return kj::mv(e);
  });
  co_await within(world.timer, HELLO_LIMIT, "the agent did not take the order to power off",
                  order.exclusiveJoin(machine.onEnd().ignoreResult()));
}

// ---------------------------------------------------------------------------------------------
// Deleting

kj::Promise<void> Workspace::erase() {
  return keepOn(kj::evalNow([&]() { return eraseOrJoin(); }).then([]() { return Gone(); }))
      .ignoreResult();
}

kj::Promise<void> Workspace::eraseOrJoin() {
  auto turn = co_await turns->take();
  if (erasing == nullptr) {
    co_await transition(Happening::DELETE_BEGAN, Cause::REQUEST);
    supersede(Wish::DELETE);
    erasing = runErase().fork();
  }
  auto end = KJ_ASSERT_NONNULL(erasing).addBranch();
  turn = nullptr;
  co_await end;
}

kj::Promise<void> Workspace::runErase() {
  // Begun, it always ends: whatever refuses is asked again.
  for (RetryPauses pauses(world);;) {
    kj::Maybe<kj::Exception> failure;
    try {
      co_await eraseOnce();
      break;
    } catch (...) {
      failure = kj::getCaughtExceptionAsKj();
    }
    KJ_IF_MAYBE (e, failure) {
      KJ_LOG(ERROR, "a workspace cannot be deleted yet; trying again", record.name, record.id,
             e->getDescription());
    }
    co_await pauses.next();
  }
  owner.gone(*this);
}

kj::Promise<void> Workspace::destroyKey() {
  return within(world.timer, world.deadlines.disk, "the key of the disk could not be destroyed",
                world.keys.destroy(record.id));
}

kj::Promise<void> Workspace::eraseOnce() {
  // The key first: whatever fails after this, or is found on the disk one day, is noise.  Unless it cannot be: a
  // disk that is full takes no keyring without the key, and what makes room is the end of the volume.
  kj::Maybe<kj::Exception> keyKept;
  try {
    co_await destroyKey();
  } catch (...) {
    keyKept = kj::getCaughtExceptionAsKj();
  }
  co_await within(world.timer, world.deadlines.destroyVm, "the machine could not be ended",
                  world.driver.remove(record.id));
  retireMachine();
  co_await within(world.timer, world.deadlines.disk, "the disk could not be destroyed",
                  world.volumes.destroy(record.id));
  if (keyKept != nullptr) co_await destroyKey();
  world.files.remove(record.id);
  auto turn = co_await turns->take();
  co_await catchUp();
  auto told = event(Cause::REQUEST, nullptr);
  told.before = told.after = WorkspaceState::DELETING;
  told.gone = true;
  co_await commit(kj::mv(Change().removeWorkspace(record.id).tell(kj::mv(told))));
  isGone = true;
  unstored.clear();
  KJ_LOG(INFO, "workspace deleted", record.name, record.id);
}

}  // namespace bothy
