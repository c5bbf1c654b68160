// The way of a workspace from nothing, or from a stop, to an agent that answers.

#include <kj/debug.h>

#include "agent/guest-text.h"
#include "schema/limits.capnp.h"
#include "workspace/kernel-command-line.h"
#include "workspace/start-turn.h"
#include "workspace/steps.h"
#include "workspace/workspace-id.h"
#include "workspace/workspace.h"

namespace bothy {

void Workspace::begin(kj::Promise<kj::Own<StartReport>> operation) {
  starting = canceler.wrap(kj::mv(operation)).fork();
}

kj::Promise<Workspace::StartOutcome> Workspace::joinStart() {
  auto self = addRef();
  return KJ_ASSERT_NONNULL(starting)
      .addBranch()
      .then([](kj::Own<StartReport> report) -> StartOutcome { return kj::mv(report); },
            [](kj::Exception&& e) -> StartOutcome { return supersededBy(kj::mv(e)); })
      .attach(kj::mv(self));
}

kj::Promise<Workspace::StartOutcome> Workspace::make(bool thenStart,
                                                     kj::Maybe<kj::Own<Progress>> progress) {
  KJ_REQUIRE(record.state == WorkspaceState::CREATING);
  stageBase = world.timer.now();
  listen(kj::mv(progress));
  begin(kj::evalNow([&]() { return runMake(thenStart); }));
  return joinStart();
}

kj::Promise<Workspace::StartOutcome> Workspace::start(kj::Maybe<kj::Own<Progress>> progress) {
  return keepOn(startOrJoin(kj::mv(progress)));
}

kj::Promise<Workspace::StartOutcome> Workspace::startOrJoin(kj::Maybe<kj::Own<Progress>> progress) {
  auto turn = co_await turns->take();
  switch (replyTo(Wish::START, record.state)) {
    case Reply::ALREADY:
      co_return kj::refcounted<StartReport>();
    case Reply::BUSY:
      co_return Busy{record.state};
    case Reply::BEGIN:
      if (record.damage.size() > 0) {
        auto report = kj::refcounted<StartReport>();
        report->failure = StartReport::Failure{Stage::STARTING_VM, StartFault::OTHER,
                                               kj::str(record.damage), nullptr};
        co_return kj::mv(report);
      }
      starting = nullptr;
      stageBase = world.timer.now();
      listen(kj::mv(progress));
      begin(kj::evalNow([&]() { return runStart(kj::mv(turn)); }));
      break;
    case Reply::JOIN:
      listen(kj::mv(progress));
      break;
  }
  auto outcome = joinStart();
  turn = nullptr;
  co_return co_await outcome;
}

kj::Promise<Workspace::StartOutcome> Workspace::join(kj::Maybe<kj::Own<Progress>> progress) {
  if (starting == nullptr) return StartOutcome(Busy{record.state});
  listen(kj::mv(progress));
  return joinStart();
}

kj::Promise<kj::Own<StartReport>> Workspace::runMake(bool thenStart) {
  KJ_DEFER(listeners.clear());
  reach(Stage::CREATING_DISK);
  Turn turn;
  kj::Maybe<kj::Exception> failure;
  try {
    co_await makeVolume();
    turn = co_await turns->take();
    co_await transition(Happening::DISK_MADE, Cause::REQUEST);
  } catch (...) {
    failure = kj::getCaughtExceptionAsKj();
  }
  KJ_IF_MAYBE (e, failure) {
    KJ_LOG(ERROR, "a workspace's disk could not be made", record.name, record.id,
           e->getDescription());
    auto report = kj::refcounted<StartReport>();
    report->failure =
        StartReport::Failure{Stage::CREATING_DISK, StartFault::DISK, lineOf(*e), nullptr,
                             e->getType() == kj::Exception::Type::OVERLOADED};
    turn = nullptr;
    turn = co_await settle(Happening::DELETE_BEGAN, Cause::START_FAILED, lineOf(*e));
    erasing = runErase().fork();
    turn = nullptr;
    co_await KJ_ASSERT_NONNULL(erasing).addBranch();
    co_return kj::mv(report);
  }
  if (!thenStart) co_return kj::refcounted<StartReport>();
  co_return co_await runStart(kj::mv(turn));
}

kj::Promise<void> Workspace::requireRoom() {
  return within(world.timer, world.deadlines.disk, "the room on the host's disk was not found",
                world.volumes.requireRoom());
}

kj::Promise<void> Workspace::makeVolume() {
  co_await requireRoom();
  co_await begun([this]() {
    return within(world.timer, world.deadlines.disk, "the key of the disk could not be made",
                  world.keys.create(record.id));
  });
  auto key = co_await openKey();
  co_await begun([this, &key]() {
    return within(world.timer, world.deadlines.disk, "the disk could not be made",
                  world.volumes.create(record.id, diskBytes(), machineRecord.uid, kj::mv(key)));
  });
}

kj::Promise<Secret> Workspace::openKey() {
  return within(world.timer, world.deadlines.disk, "the key of the disk could not be opened",
                world.keys.open(record.id));
}

uint64_t Workspace::diskBytes() const {
  return uint64_t(record.diskMib) * 1024 * 1024;
}

kj::Promise<kj::Own<StartReport>> Workspace::runStart(Turn turnParam) {
  auto turn = kj::mv(turnParam);
  co_return co_await reportOf(boot(turn));
}

kj::Promise<kj::Own<StartReport>> Workspace::reportOf(kj::Promise<void> way) {
  KJ_DEFER(listeners.clear());
  kj::Maybe<kj::Exception> failure;
  try {
    co_await way;
  } catch (...) {
    failure = kj::getCaughtExceptionAsKj();
  }
  KJ_IF_MAYBE (e, failure) {
    co_return co_await failStart(kj::mv(*e));
  }
  co_return kj::refcounted<StartReport>();
}

kj::Promise<void> Workspace::awaitAdopted() {
  reach(Stage::BOOTING);
  hasMachine = true;
  co_await awaitAgent(*KJ_ASSERT_NONNULL(current));
}

kj::Promise<void> Workspace::awaitAdoption() {
  reach(Stage::BOOTING);
  hasMachine = true;
  fault = StartFault::VMM_EXITED;
  auto until = world.timer.now() + bootLimit();
  for (RetryPauses pauses(world);;) {
    bool machineRuns = false;
    kj::Maybe<kj::Exception> failure;
    try {
      machineRuns = co_await adopt();
    } catch (...) {
      failure = kj::getCaughtExceptionAsKj();
    }
    KJ_IF_MAYBE (e, failure) {
      if (world.timer.now() >= until) kj::throwFatalException(kj::mv(*e));
    } else {
      if (machineRuns) break;
      kj::throwFatalException(KJ_EXCEPTION(FAILED, "the machine ended before its agent answered"));
    }
    co_await pauses.next();
  }
  co_await awaitAgent(*KJ_ASSERT_NONNULL(current));
}

kj::Array<const kj::byte> Workspace::newSecret() {
  auto secret = kj::heapArray<kj::byte>(rpc::SECRET_BYTES);
  world.randomness.fill(secret);
  return kj::mv(secret);
}

kj::Promise<void> Workspace::boot(Turn& turn) {
  fault = StartFault::OTHER;
  hasMachine = false;
  co_await catchUp();
  auto next = changed(Happening::START_BEGAN, nullptr);
  next.machine.secret = newSecret();
  co_await transitionTo(kj::mv(next), Cause::REQUEST, nullptr);
  turn = nullptr;
  co_await bootMachine();
}

kj::Promise<void> Workspace::bootMachine() {
  reach(Stage::STARTING_VM);
  auto image = world.images.find(record.image);
  if (image == nullptr) {
    kj::throwFatalException(
        KJ_EXCEPTION(FAILED, kj::str("the image ", record.image, " is not installed any more")));
  }

  // Of a start that failed, or of a machine that could not be taken over.
  fault = StartFault::VMM_EXITED;
  watch = nullptr;
  co_await within(world.timer, world.deadlines.destroyVm,
                  "what is left of an earlier machine could not be removed",
                  world.driver.remove(record.id));

  fault = StartFault::DISK;
  co_await within(world.timer, world.deadlines.disk, "the disk could not be examined",
                  world.volumes.check(record.id, diskBytes()));
  co_await requireRoom();
  auto spec = vmSpec(kj::mv(image));
  spec.diskKey = co_await openKey();

  fault = StartFault::VMM_EXITED;
  auto vm = co_await begun([this, &spec]() {
    world.files.prepare(record.id);
    hasMachine = true;
    return startMachine(kj::mv(spec));
  });
  take(kj::mv(vm));
  reach(Stage::BOOTING);
  co_await awaitAgent(*KJ_ASSERT_NONNULL(current));
}

kj::Promise<kj::Own<RunningVm>> Workspace::startMachine(VmSpec spec) {
  StartTurn turn(world.timer, world.deadlines, [this](kj::Maybe<size_t> before) {
    KJ_IF_MAYBE (count, before) {
      fault = StartFault::OTHER;
      reach(Stage::WAITING, *count);
    } else {
      fault = StartFault::VMM_EXITED;
      reach(Stage::STARTING_VM);
    }
  });
  co_return co_await turn.limit(world.driver.start(kj::mv(spec), turn));
}

kj::Duration Workspace::bootLimit() const {
  return world.driver.abilities().accelerator == HostAbilities::Accelerator::KVM
             ? world.deadlines.agentReadyKvm
             : world.deadlines.agentReadyTcg;
}

kj::Promise<void> Workspace::awaitAgent(Machine& machine) {
  auto limit = bootLimit();
  fault = StartFault::NO_HELLO;
  auto end = machine.onEnd().then([this](VmEnd end) -> kj::Promise<void> {
    auto failure = failureOfBoot(end, world.files.consoleEnd(record.id));
    fault = failure.fault;
    return KJ_EXCEPTION(FAILED, kj::str(failure.message));
  });
  auto firstWord = limit / 2;
  auto silence = world.timer.afterDelay(firstWord).then([this, firstWord]() -> kj::Promise<void> {
    if (world.files.consoleEnd(record.id).size() > 0) return kj::NEVER_DONE;
    fault = StartFault::KERNEL_SILENT;
    return KJ_EXCEPTION(OVERLOADED,
                        kj::str("nothing came from the machine's kernel within ",
                                firstWord / kj::SECONDS, " s: is it one, and for this processor?"));
  });
  auto ready = machine.ready().catch_([this](kj::Exception&& e) -> kj::Promise<void> {
    if (e.getType() == kj::Exception::Type::UNIMPLEMENTED) fault = StartFault::GENERATION;
    return kj::mv(e);
  });
  auto answer = within(world.timer, limit, "the machine's agent did not answer",
                       ready.exclusiveJoin(kj::mv(end)).exclusiveJoin(kj::mv(silence)));
  co_await answer.catch_([this, &machine](kj::Exception&& e) -> kj::Promise<void> {
    if (!machine.isStalled()) return kj::mv(e);
    fault = StartFault::DISK;
    return KJ_EXCEPTION(OVERLOADED, "the host's disk is full: the machine stood still");
  });

  co_await learnVersion(machine);
  machineRecord.startedNanos = nanosOf(world.clock.now());
  isMachineUnstored = true;
  auto turn = co_await settle(Happening::AGENT_ANSWERED,
                              record.rebooting ? Cause::GUEST_REBOOTED : Cause::REQUEST, nullptr);
  ranFrom = world.timer.now();
  watchMachine();
  reach(Stage::AGENT_READY);
}

// For people: an agent that does not tell it is an agent all the same.
kj::Promise<void> Workspace::learnVersion(Machine& machine) {
  kj::String version;
  auto asked =
      machine.control()
          .then([](rpc::AgentControl::Client agent) { return agent.reportRequest().send(); })
          .then([&version](auto&& response) {
            version = versionOfGuest(response.getReport().getAgentVersion());
          });
  co_await within(world.timer, HELLO_LIMIT, "the agent did not report", kj::mv(asked))
      .catch_([this](kj::Exception&& e) {
        KJ_LOG(WARNING, "the agent does not report its boot", record.name, e.getDescription());
      });
  machineRecord.agentVersion = kj::mv(version);
}

kj::Promise<kj::Own<StartReport>> Workspace::failStart(kj::Exception exception) {
  auto message = lineOf(exception);
  bool isGone = false;
  KJ_IF_MAYBE (m, current) {
    auto gone = within(world.timer, world.deadlines.destroyVm, "the machine could not be ended",
                       kj::evalNow([&]() { return (*m)->destroy(); }));
    co_await gone.then([&isGone]() { isGone = true; },
                       [this](kj::Exception&& e) {
                         KJ_LOG(ERROR, "the machine of a failed start is not gone yet", record.name,
                                record.id, e.getDescription());
                       });
  }
  // Who has failed holds nothing, however long that takes.
  if (!isGone) watch = removeLeftMachine().eagerlyEvaluate(nullptr);
  auto report = kj::refcounted<StartReport>();
  kj::String console;
  if (hasMachine) {
    kj::runCatchingExceptions([&]() { console = world.files.consoleEnd(record.id); });
  }
  report->failure = StartReport::Failure{stage, fault, kj::str(message), kj::mv(console)};
  retireMachine();
  if (record.state == WorkspaceState::STARTING) {
    co_await settle(Happening::START_FAILED, Cause::START_FAILED, kj::mv(message));
  }
  co_return kj::mv(report);
}

VmSpec Workspace::vmSpec(kj::Maybe<Image> image) {
  auto paths = world.files.paths(record.id);
  VmSpec spec;
  spec.name = kj::str(record.id);
  spec.cpus = record.cpus;
  spec.memoryBytes = uint64_t(record.memoryMib) * 1024 * 1024;
  KJ_IF_MAYBE (i, image) {
    spec.kernel = kj::mv(i->kernel);
    spec.initramfs = kj::mv(i->initramfs);
    spec.rootImage = kj::mv(i->rootImage);
  }
  spec.dataDisk = world.volumes.path(record.id);
  spec.uid = machineRecord.uid;
  spec.cid = machineRecord.cid;
  KJ_IF_MAYBE (name, WorkspaceName::parse(record.name)) {
    spec.commandLine = kernelCommandLine(*name, record.cpus);
  } else {
    KJ_FAIL_REQUIRE("the store holds a name that is none", record.id);
  }
  spec.secret = kj::heapArray<kj::byte>(machineRecord.secret);
  spec.runtimeDir = kj::mv(paths.runtimeDir);
  spec.consoleLog = kj::mv(paths.consoleLog);
  return spec;
}

}  // namespace bothy
