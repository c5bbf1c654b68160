#include "workspace/workspace.h"

#include <kj/debug.h>

#include "workspace/host-room.h"
#include "workspace/operations/stored-operation.h"
#include "workspace/steps.h"
#include "workspace/tier-plan.h"
#include "workspace/workspace-spec.h"

namespace bothy {

Superseded supersededBy(kj::StringPtr kind) {
  return {kind == nameOf(OperationKind::STOP) ? Wish::STOP : Wish::DELETE};
}

Workspace::Workspace(World& world, Owner& owner, MachineLeases& leases, HostCapacity& capacity,
                     WorkspaceJournal::Rows rows)
    : world(world),
      capacity(capacity),
      owner(owner),
      journal(world, leases, capacity, kj::mv(rows), [this]() { noteChange(); }),
      slot(world.machines(), *this, leases, journal.row().id, journal.row().name),
      progress(world.timer),
      site{world, journal, leases, slot, progress, *this},
      runner(
          world.timer, journal, journal.row().name, [this]() { noteChange(); },
          world.deadlines.retry),
      setupFollower(world, journal, slot, progress) {}

Workspace::~Workspace() noexcept(false) {
  if (!journal.isRemoved()) {
    KJ_IF_MAYBE (o, owner) o->released(*this, journal.rows());
  }
  // What ends with it notes changes.
  owner = nullptr;
}

void Workspace::noteChange() {
  if (!isHalted(state())) stateWaiters.wakeAll();
  KJ_IF_MAYBE (o, owner) {
    setupFollower.look(runner.current() != nullptr);
    o->changed(*this);
  }
}

bool Workspace::isIdle() {
  return runner.current() == nullptr && journal.operation() == nullptr && journal.isStored() &&
         slot.isEmpty() && !isUp(state());
}

WorkspaceView Workspace::view() {
  auto& row = journal.row();
  WorkspaceView result;
  result.name = row.name;
  result.id = row.id;
  result.image = row.image;
  auto present = presentFigures(row, runningMachine());
  result.cpus = present.cpus;
  result.memoryMib = present.memoryMib;
  result.diskMib = row.diskMib;
  if (present.cpus != row.cpus || present.memoryMib != row.memoryMib ||
      row.promisedDiskMib() != row.diskMib) {
    result.atNextStart = WorkspaceView::Figures{row.cpus, row.memoryMib, row.promisedDiskMib()};
  }
  result.tier = row.tier;
  result.user = row.user;
  result.userName = row.userName;
  result.host = world.hostName;
  result.labels = row.labels;
  result.setupSteps = row.setupSteps;
  result.setupDone = row.setupDone;
  result.setupFailure = row.setupFailure;
  result.state = state();
  result.failure = row.failure;
  result.createdNanos = row.createdNanos;
  result.lastActiveNanos = row.lastActiveNanos;
  if (row.sleep.isThere()) {
    result.sleep = WorkspaceView::Sleep{row.sleep.sinceNanos, row.sleep.bytes};
  }
  if (isUp(result.state)) {
    KJ_IF_MAYBE (machine, journal.machine()) {
      result.startedNanos = machine->startedNanos;
      result.agentVersion = machine->agentVersion;
      if (result.state == WorkspaceState::PAUSED) result.pausedNanos = machine->pausedNanos;
    }
    result.isStalled = isStalled();
    result.activity = activity();
    result.unreachable = whyUnreachable;
    KJ_IF_MAYBE (told, result.activity) {
      const auto now = nanosOf(world.clock.now());
      auto since = told->sinceInput.map([](kj::Duration time) { return time / kj::NANOSECONDS; });
      if (told->commands > 0) since = int64_t{0};
      KJ_IF_MAYBE (s, since) result.lastActiveNanos = kj::max(result.lastActiveNanos, now - *s);
    }
  }
  return result;
}

void Workspace::begin(kj::Own<Operation> operation) {
  reaching = nullptr;
  greeting = nullptr;
  whyUnreachable = nullptr;
  slot.forget();
  auto step = operation->placeOf(KJ_ASSERT_NONNULL(journal.operation()).step);
  runner.begin(kj::mv(operation), KJ_ASSERT_NONNULL(step));
  noteChange();
}

kj::Maybe<kj::Own<Machine>> Workspace::machine() {
  if (state() != WorkspaceState::RUNNING) return nullptr;
  return machineAtHand();
}

kj::Maybe<kj::Own<Machine>> Workspace::machineAtHand() {
  return slot.current().map([](Machine& machine) { return kj::addRef(machine); });
}

bool Workspace::mayHaveMachine() {
  return !slot.isEmpty() || isUp(state()) || state() == WorkspaceState::STOPPING ||
         state() == WorkspaceState::DELETING ||
         (row().damage.size() > 0 && journal.machine() != nullptr);
}

kj::Maybe<WorkspaceView::Activity> Workspace::activity() {
  KJ_IF_MAYBE (m, machine()) {
    return (*m)->activity().map([this](const GuestActivity& told) {
      const auto now = world.timer.now();
      return WorkspaceView::Activity{
          told.lastInput.map([now](kj::TimePoint then) { return now - then; }), told.commands,
          told.terminals};
    });
  }
  return nullptr;
}

bool Workspace::isStalled() {
  KJ_IF_MAYBE (m, machine()) {
    return (*m)->isStalled();
  }
  return false;
}

void Workspace::note(Cause cause, kj::StringPtr detail) {
  KJ_LOG(WARNING, "workspace", row().name, row().id, cause, detail);
  journal.append(cause, detail);
}

void Workspace::deleted() {
  stateWaiters.wakeAll();
  KJ_IF_MAYBE (o, owner) o->gone(*this);
}

// ---------------------------------------------------------------------------------------------
// Creating and starting

kj::Promise<Workspace::StartOutcome> Workspace::make(kj::Maybe<kj::Own<Progress>> listener) {
  KJ_REQUIRE(state() == WorkspaceState::CREATING);
  auto listening = progress.listen(kj::mv(listener));
  progress.begin(Stage::CREATING_DISK);
  begin(storedOperation(site));
  return outcomeOf(underWay<CreateOperation>(), kj::mv(listening));
}

kj::Promise<Workspace::StartOutcome> Workspace::outcomeOf(kj::Own<CreateOperation> creation,
                                                          kj::Own<void> listening) {
  auto self = addRef();
  auto ended = co_await endOnceDecided(*creation);
  if (ended == nullptr) co_return underwayOf(*creation);
  KJ_IF_MAYBE (kind, KJ_ASSERT_NONNULL(ended).supersededBy) {
    co_return supersededBy(*kind);
  }
  KJ_IF_MAYBE (failure, creation->failure()) {
    // Nothing of it is there any more when its caller hears of it, if that can be.
    co_await endWithin(world.deadlines.call, KJ_ASSERT_NONNULL(creation->next())).ignoreResult();
    auto report = kj::refcounted<StartReport>();
    report->failure =
        StartReport::Failure{failure->stage, failure->fault, kj::str(failure->message),
                             kj::str(failure->console), failure->noSpace};
    co_return kj::mv(report);
  }
  KJ_IF_MAYBE (next, creation->next()) {
    co_return co_await outcomeOf(kj::addRef(kj::downcast<StartOperation>(*next)),
                                 kj::mv(listening));
  }
  auto report = kj::refcounted<StartReport>();
  report->isMadeOnly = true;
  co_return kj::mv(report);
}

kj::Promise<Workspace::StartOutcome> Workspace::outcomeOf(kj::Own<StartOperation> start,
                                                          kj::Own<void> listening) {
  auto self = addRef();
  auto ended = co_await endOnceDecided(*start);
  if (ended == nullptr) co_return underwayOf(*start);
  KJ_IF_MAYBE (kind, KJ_ASSERT_NONNULL(ended).supersededBy) {
    co_return supersededBy(*kind);
  }
  if (start->report()->failure == nullptr) co_await setupFollower.onEnd();
  co_return start->report();
}

kj::Promise<void> Workspace::whenSetUp(kj::Maybe<kj::Own<Progress>> listener) {
  auto self = addRef();
  auto listening = progress.listen(kj::mv(listener));
  co_await setupFollower.onEnd();
}

kj::Promise<Workspace::StartOutcome> Workspace::join(kj::Maybe<kj::Own<Progress>> listener) {
  if (runner.current() != nullptr) {
    switch (state()) {
      case WorkspaceState::CREATING:
        return outcomeOf(underWay<CreateOperation>(), progress.listen(kj::mv(listener)));
      case WorkspaceState::STARTING:
        return outcomeOf(underWay<StartOperation>(), progress.listen(kj::mv(listener)));
      case WorkspaceState::RESUMING:
        return outcomeOfResume(progress.listen(kj::mv(listener)));
      default:
        break;
    }
  }
  return StartOutcome(Busy{state()});
}

kj::Promise<Workspace::Turn> Workspace::beginStart(Turn turn, kj::String actor) {
  const bool isExpired = state() == WorkspaceState::EXPIRED;
  co_await journal.transition(askedBy(actor, starting()), Cause::REQUEST);
  progress.begin(isExpired ? Stage::CREATING_DISK : Stage::STARTING_VM);
  begin(storedOperation(site));
  co_return kj::mv(turn);
}

kj::Promise<Workspace::StartOutcome> Workspace::start(kj::Maybe<kj::Own<Progress>> listener,
                                                      kj::StringPtr actor) {
  auto self = addRef();
  auto turn = co_await journal.takeTurn();
  switch (replyTo(Wish::START, state())) {
    case Reply::ALREADY:
      co_return kj::refcounted<StartReport>();
    case Reply::BUSY:
    case Reply::SUPERSEDE:
      co_return Busy{state()};
    case Reply::JOIN:
      break;
    case Reply::BEGIN:
      if (row().damage.size() > 0) {
        auto report = kj::refcounted<StartReport>();
        report->failure = StartReport::Failure{Stage::STARTING_VM, StartFault::OTHER,
                                               kj::str(row().damage), nullptr};
        co_return kj::mv(report);
      }
      if (isHalted(state())) {
        co_return co_await resumeInTurn(kj::mv(turn), kj::mv(listener), kj::str(actor));
      }
      KJ_IF_MAYBE (shortage, co_await shortageOfRoom(world, capacity)) co_return kj::mv(*shortage);
      KJ_IF_MAYBE (shortage, journal.admit(starting())) co_return kj::mv(*shortage);
      turn = co_await keepOn(beginStart(kj::mv(turn), kj::str(actor)));
      break;
  }
  auto outcome = join(kj::mv(listener));
  turn = nullptr;
  co_return co_await outcome;
}

// ---------------------------------------------------------------------------------------------
// Stopping

kj::Promise<Workspace::Turn> Workspace::beginStop(Turn turn, uint32_t graceMillis,
                                                  kj::String actor) {
  // Who starts, or cannot be reached, is not asked.
  auto way = StopOperation::Way::FORCE;
  kj::Maybe<StopKind> endOfStart;
  kj::Maybe<RequestRecord> answered;
  if (state() == WorkspaceState::STARTING) {
    answered = journal.answer(RequestOutcome::STOPPED);
    endOfStart = underWay<StartOperation>()->hasMachine() ? StopKind::FORCED : StopKind::ALREADY;
  } else if (slot.current() != nullptr || (isHalted(state()) && runner.current() != nullptr)) {
    // That of a pause or resume which an earlier bothyd left half-done is still being taken over.
    way = StopOperation::Way::ASK;
  }
  co_await journal.transition(askedBy(actor, StopOperation::beginning(site, way, graceMillis)),
                              Cause::REQUEST, nullptr, kj::mv(answered));
  progress.end();
  auto operation = storedOperation(site);
  KJ_IF_MAYBE (kind, endOfStart) kj::downcast<StopOperation>(*operation).endStart(*kind);
  begin(kj::mv(operation));
  co_return kj::mv(turn);
}

kj::Promise<Workspace::StopOutcome> Workspace::stop(uint32_t graceMillis, kj::StringPtr actor) {
  auto self = addRef();
  auto turn = co_await journal.takeTurn();
  switch (replyTo(Wish::STOP, state())) {
    case Reply::ALREADY:
      co_return StopKind::ALREADY;
    case Reply::BUSY:
      co_return Busy{state()};
    case Reply::BEGIN:
    case Reply::SUPERSEDE:
      turn = co_await keepOn(beginStop(kj::mv(turn), graceMillis, kj::str(actor)));
      break;
    case Reply::JOIN:
      break;
  }
  auto operation = underWay<StopOperation>();
  auto ending = endWithin(graceMillis * kj::MILLISECONDS + world.deadlines.call, *operation);
  turn = nullptr;
  auto ended = co_await ending;
  KJ_IF_MAYBE (end, ended) {
    KJ_IF_MAYBE (kind, end->supersededBy) {
      co_return supersededBy(*kind);
    }
    co_return operation->outcome();
  }
  co_return underwayOf(*operation);
}

// ---------------------------------------------------------------------------------------------
// Deleting

kj::Promise<Workspace::Turn> Workspace::beginDelete(Turn turn, kj::String actor) {
  co_await journal.transition(askedBy(actor, DeleteOperation::beginning(site)), Cause::REQUEST);
  progress.end();
  begin(storedOperation(site));
  co_return kj::mv(turn);
}

kj::Promise<Workspace::EraseOutcome> Workspace::erase(kj::StringPtr actor) {
  auto self = addRef();
  auto turn = co_await journal.takeTurn();
  if (journal.isRemoved()) co_return Erased();
  // One that could not be settled is begun again.
  if (replyTo(Wish::DELETE, state()) != Reply::JOIN || runner.current() == nullptr) {
    turn = co_await keepOn(beginDelete(kj::mv(turn), kj::str(actor)));
  }
  auto operation = underWay<DeleteOperation>();
  auto ending = endWithin(world.deadlines.call, *operation);
  turn = nullptr;
  auto ended = co_await ending;
  if (ended == nullptr) co_return underwayOf(*operation);
  co_return Erased();
}

// ---------------------------------------------------------------------------------------------
// Making the disk larger

kj::Promise<Workspace::Turn> Workspace::beginResize(Turn turn, uint32_t diskMib, kj::String actor) {
  co_await journal.transition(askedBy(actor, ResizeOperation::beginning(site, diskMib)),
                              Cause::REQUEST);
  begin(storedOperation(site));
  co_return kj::mv(turn);
}

kj::Promise<Workspace::ResizeOutcome> Workspace::resize(uint32_t diskMib,
                                                        kj::Maybe<uint32_t> mostMib,
                                                        kj::StringPtr actor) {
  auto self = addRef();
  auto turn = co_await journal.takeTurn();
  switch (replyTo(Wish::RESIZE, state())) {
    case Reply::BEGIN:
      if (row().damage.size() > 0) co_return ResizeFailure{kj::str(row().damage), false};
      KJ_IF_MAYBE (fault, checkGrowth(row().promisedDiskMib(), diskMib, mostMib)) {
        co_return InvalidSize{kj::mv(*fault)};
      }
      if (diskMib == row().diskMib) co_return Resized();
      KJ_IF_MAYBE (shortage, co_await shortageOfRoom(world, capacity)) co_return kj::mv(*shortage);
      KJ_IF_MAYBE (shortage, journal.admit(ResizeOperation::beginning(site, diskMib))) {
        co_return kj::mv(*shortage);
      }
      turn = co_await keepOn(beginResize(kj::mv(turn), diskMib, kj::str(actor)));
      break;
    case Reply::JOIN:
      if (runner.current() == nullptr || underWay<ResizeOperation>()->size() != diskMib) {
        co_return Busy{state()};
      }
      break;
    case Reply::SUPERSEDE:
    case Reply::ALREADY:
    case Reply::BUSY:
      co_return Busy{state()};
  }
  auto operation = underWay<ResizeOperation>();
  auto ending = endWithin(world.deadlines.call, *operation);
  turn = nullptr;
  auto ended = co_await ending;
  if (ended == nullptr) co_return underwayOf(*operation);
  KJ_IF_MAYBE (kind, KJ_ASSERT_NONNULL(ended).supersededBy) {
    co_return supersededBy(*kind);
  }
  KJ_IF_MAYBE (failure, operation->failure()) {
    co_return ResizeFailure{kj::str(failure->why), failure->noSpace};
  }
  co_return Resized();
}

}  // namespace bothy
