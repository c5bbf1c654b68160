#include "workspace/operations/start-operation.h"

#include <kj/debug.h>

#include "machine/boot-wait.h"
#include "machine/start-turn.h"
#include "workspace/machine-configuration.h"
#include "workspace/machine-spec.h"
#include "workspace/steps.h"

namespace bothy {
namespace {

constexpr Step STEPS[] = {
    {"clear"_kj, Step::OnFailure::END, Step::Storing::FIRST, ""_kj},
    {"lease"_kj, Step::OnFailure::END, Step::Storing::FIRST, ""_kj},
    {"check"_kj, Step::OnFailure::END, Step::Storing::FIRST, ""_kj},
    {"launch"_kj, Step::OnFailure::END, Step::Storing::FIRST, ""_kj},
    {"agent"_kj, Step::OnFailure::END, Step::Storing::FIRST, ""_kj},
};
enum { CLEAR, LEASE, CHECK, LAUNCH, AGENT };

constexpr kj::StringPtr CREATION = "creation"_kj;
constexpr kj::StringPtr RECREATION = "recreation"_kj;
constexpr kj::StringPtr REBOOT = "reboot"_kj;
constexpr kj::StringPtr MEMORY_LOST = "memory lost"_kj;

kj::StringPtr parametersOf(StartOperation::Way way) {
  switch (way) {
    case StartOperation::Way::REQUEST:
      return nullptr;
    case StartOperation::Way::CREATION:
      return CREATION;
    case StartOperation::Way::RECREATION:
      return RECREATION;
    case StartOperation::Way::REBOOT:
      return REBOOT;
    case StartOperation::Way::MEMORY_LOST:
      return MEMORY_LOST;
  }
  KJ_UNREACHABLE;
}

}  // namespace

uint64_t diskBytes(const WorkspaceRow& row) {
  return uint64_t(row.diskMib) * 1024 * 1024;
}

WorkspaceJournal::Rows StartOperation::beginning(const Site& site, Way way) {
  auto rows = site.journal.beginning(OperationKind::START, STEPS[CLEAR].name, parametersOf(way),
                                     way != Way::REQUEST && way != Way::REBOOT);
  // That of the boot before is nobody's any more.
  KJ_IF_MAYBE (machine, rows.machine) machine->secret = nullptr;
  return rows;
}

StartOperation::StartOperation(const Site& site, kj::StringPtr parameters)
    : site(site), isReboot(parameters == REBOOT), isOfLostMemory(parameters == MEMORY_LOST) {}

kj::Maybe<StartOperation::Way> StartOperation::wayOf(const OperationRow& row) {
  if (row.kind != bothy::nameOf(OperationKind::START)) return nullptr;
  for (auto way : {Way::CREATION, Way::RECREATION, Way::REBOOT, Way::MEMORY_LOST}) {
    if (row.parameters == parametersOf(way)) return way;
  }
  return Way::REQUEST;
}

bool StartOperation::isOfReboot(const OperationRow& row) {
  return row.parameters == REBOOT;
}

kj::ArrayPtr<const Step> StartOperation::steps() const {
  return STEPS;
}

kj::Promise<void> StartOperation::run(size_t step) {
  switch (step) {
    case CLEAR:
      return clear();
    case LEASE:
      return lease();
    case CHECK:
      return check();
    case LAUNCH:
      return launch();
    case AGENT:
      return awaitAgent();
    default:
      KJ_UNREACHABLE;
  }
}

kj::Duration StartOperation::limitAfterRestart(kj::StringPtr step, kj::Duration left) const {
  if (step != STEPS[LAUNCH].name && step != STEPS[AGENT].name) return left;
  return kj::max(left, site.world.deadlines.startVm + bootLimit());
}

// Whether there is a machine decides, not the step: a bothyd that was killed may have started it, or seen it end.
kj::Promise<size_t> StartOperation::resume(size_t step) {
  if (step < LAUNCH) co_return CLEAR;
  isMade = true;
  auto adoption = co_await site.machine.tryToAdopt();
  KJ_IF_MAYBE (e, adoption.failure) {
    KJ_LOG(ERROR, "a machine could not be taken over; trying again", site.journal.row().name,
           site.journal.row().id, e->getDescription());
    co_return AGENT;
  }
  if (adoption.isThere) co_return AGENT;
  isMade = false;
  co_return CLEAR;
}

Image StartOperation::requireImage() {
  auto& name = site.journal.row().image;
  KJ_IF_MAYBE (image, site.world.images.find(name)) {
    return kj::mv(*image);
  }
  kj::throwFatalException(
      KJ_EXCEPTION(FAILED, kj::str("the image ", name, " is not installed any more")));
}

kj::Promise<void> StartOperation::clear() {
  fault = StartFault::OTHER;
  if (pause > 0 * kj::SECONDS) co_await site.world.timer.afterDelay(pause);
  site.progress.reach(Stage::STARTING_VM);
  requireImage();
  // Of a start that failed, or of a machine that could not be taken over.
  fault = StartFault::VMM_EXITED;
  co_await site.machine.remove("what is left of an earlier machine could not be removed");
  // Of one of which no row tells, too.
  fault = StartFault::DISK;
  if (site.journal.machine() == nullptr && !co_await site.machine.reclaimDisk()) {
    kj::throwFatalException(KJ_EXCEPTION(
        FAILED, "the disk could not be taken from an earlier machine; the log says why"));
  }
  if (isOfLostMemory) {
    co_await within(site.world.timer, site.world.deadlines.disk, "memory could not be removed",
                    site.world.volumes.destroyMemory(site.journal.row().id));
  }
  isCleared = true;
}

// Of a machine that could not be ended, or of a guest that reboots, it has one already.
kj::Promise<void> StartOperation::lease() {
  fault = StartFault::OTHER;
  kj::Maybe<kj::Own<MachineLeases::Lease>> taken, own;
  if (site.journal.machine() == nullptr) {
    auto outcome = site.leases.take();
    KJ_IF_MAYBE (none, outcome.tryGet<MachineLeases::NoneFree>()) {
      kj::throwFatalException(KJ_EXCEPTION(OVERLOADED, kj::str(none->why)));
    }
    auto& lease = taken.emplace(kj::mv(outcome.get<kj::Own<MachineLeases::Lease>>()));
    own = kj::addRef(*lease);
  }
  auto boot = [taken = kj::mv(taken), secret = site.machine.newSecret(),
               isReboot = isReboot](WorkspaceJournal::Rows& rows) {
    KJ_IF_MAYBE (lease, taken) {
      rows.machine = MachineRow{(*lease)->uid(), (*lease)->cid(), kj::str(rows.row.id)};
    }
    auto& machine = KJ_ASSERT_NONNULL(rows.machine);
    machine.secret = kj::heapArray<kj::byte>(secret);
    machine.startedNanos = 0;
    // A guest that reboots keeps what its machine had.
    if (isReboot && machine.cpus > 0) return;
    machine.cpus = rows.row.cpus;
    machine.memoryMib = rows.row.memoryMib;
  };
  co_await site.journal.update(kj::mv(boot)).catch_([&own](kj::Exception&& e) {
    // A damaged row may be in its way: the next start tries another.
    KJ_IF_MAYBE (lease, own) (*lease)->setAside();
    kj::throwFatalException(kj::mv(e));
  });
}

kj::Promise<void> StartOperation::check() {
  auto& world = site.world;
  fault = StartFault::DISK;
  if (!isReboot && site.journal.row().nextDiskMib > 0) co_await growDisk();
  co_await within(world.timer, world.deadlines.disk, "the disk could not be examined",
                  world.volumes.check(site.journal.row().id, diskBytes(site.journal.row())));
  co_await within(world.timer, world.deadlines.disk, "the room on the host's disk was not found",
                  world.volumes.requireRoom());
}

// A growth that took too long may have been carried out all the same: the next start grows to the same size.
kj::Promise<void> StartOperation::growDisk() {
  auto& world = site.world;
  auto& row = site.journal.row();
  const uint32_t wantedMib = row.promisedDiskMib();
  co_await within(world.timer, world.deadlines.disk, "the disk could not be made larger",
                  world.volumes.grow(row.id, uint64_t{wantedMib} << 20));
  co_await site.journal.update([wantedMib](WorkspaceJournal::Rows& rows) {
    rows.row.diskMib = wantedMib;
    rows.row.nextDiskMib = 0;
  });
}

kj::Promise<void> StartOperation::launch() {
  fault = StartFault::DISK;
  auto spec = co_await preparedSpec(site.world, site.journal, requireImage());
  fault = StartFault::VMM_EXITED;
  // Not while what comes in its place is on its way to the store.
  auto turn = co_await site.journal.takeTurn();
  isMade = true;
  auto started = startMachine(kj::mv(spec));
  turn = nullptr;
  site.machine.take(co_await started);
}

kj::Promise<kj::Own<RunningVm>> StartOperation::startMachine(VmSpec spec) {
  auto& world = site.world;
  StartTurn turn(world.timer, world.deadlines, [this](kj::Maybe<size_t> before) {
    KJ_IF_MAYBE (count, before) {
      fault = StartFault::OTHER;
      site.progress.reach(Stage::WAITING, *count);
    } else {
      fault = StartFault::VMM_EXITED;
      site.progress.reach(Stage::STARTING_VM);
    }
  });
  co_return co_await turn.limit(world.driver.start(kj::mv(spec), turn));
}

kj::Duration StartOperation::bootLimit() const {
  return site.world.driver.abilities().accelerator == HostAbilities::Accelerator::KVM
             ? site.world.deadlines.agentReadyKvm
             : site.world.deadlines.agentReadyTcg;
}

kj::Promise<void> StartOperation::awaitAgent() {
  site.progress.reach(Stage::BOOTING);
  isMade = true;
  BootWait boot(site.world.machines(), site.machine, site.journal.row().name, bootLimit(), fault,
                [this]() { return site.consoleEnd(); });
  agentVersion = co_await boot.agent();
  if (site.journal.row().isConfigured) co_await configure();
}

kj::Promise<void> StartOperation::configure() {
  fault = StartFault::OTHER;
  auto machine = kj::addRef(KJ_ASSERT_NONNULL(site.machine.current()));
  auto end = machine->onEnd().then(
      [](VmEnd) -> kj::Promise<void> { return KJ_EXCEPTION(FAILED, "the machine has ended"); });
  co_await within(
      site.world.timer, bootLimit(), "the machine's agent did not take its configuration",
      configureMachine(site.world, site.journal.row().id, *machine).exclusiveJoin(kj::mv(end)));
}

kj::Promise<Operation::Settled> StartOperation::settle(kj::Maybe<kj::Exception> failure) {
  KJ_IF_MAYBE (e, failure) {
    co_return co_await settleFailure(kj::mv(*e));
  }
  auto& journal = site.journal;
  auto next = [this, started = nanosOf(site.world.clock.now())]() {
    auto rows = site.journal.ending(OperationKind::START, Outcome::SUCCEEDED);
    auto& machine = KJ_ASSERT_NONNULL(rows.machine);
    machine.startedNanos = started;
    machine.agentVersion = kj::str(agentVersion);
    return rows;
  };
  auto turn =
      co_await journal.settle(kj::mv(next), isReboot ? Cause::GUEST_REBOOTED : Cause::REQUEST,
                              nullptr, journal.answer(RequestOutcome::SUCCEEDED));
  site.machine.watch();
  site.progress.reach(Stage::AGENT_READY);
  // Else what is set up is told yet.
  if (!site.journal.row().isConfigured) site.progress.end();
  co_return Settled{kj::mv(turn), nullptr};
}

kj::Promise<Operation::Settled> StartOperation::settleFailure(kj::Exception exception) {
  const bool isGone = co_await endMachine();
  StartReport::Failure failure{site.progress.stage(), fault, lineOf(exception), kj::mv(console)};
  auto answered = site.journal.answer(RequestOutcome::FAILED);
  KJ_IF_MAYBE (request, answered) {
    request->stage = static_cast<uint8_t>(failure.stage);
    request->fault = static_cast<uint8_t>(failure.fault);
    request->message = kj::str(failure.message);
    request->console = kj::str(failure.console);
  }
  auto next = [this, isGone, why = kj::str(failure.message)]() {
    auto rows = site.journal.ending(OperationKind::START, Outcome::FAILED, why);
    if (isGone) rows.machine = nullptr;
    return rows;
  };
  outcome->failure = kj::mv(failure);
  auto turn = co_await site.journal.settle(kj::mv(next), Cause::START_FAILED,
                                           kj::str(KJ_ASSERT_NONNULL(outcome->failure).message),
                                           kj::mv(answered));
  site.progress.end();
  co_return Settled{kj::mv(turn), nullptr};
}

// Who has failed holds nothing, however long that takes.
kj::Promise<bool> StartOperation::endMachine() {
  bool isGone = isCleared && !isMade;
  if (site.machine.current() != nullptr) isGone = co_await site.machine.tryToEnd();
  if (isMade) console = co_await site.lastConsoleEnd();
  using Left = MachineSlot::Left;
  co_return co_await site.machine.giveUp(isGone ? Left::NOTHING : Left::PERHAPS);
}

}  // namespace bothy
