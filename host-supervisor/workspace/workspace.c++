#include "workspace/workspace.h"

#include <kj/debug.h>

#include "schema/limits.capnp.h"
#include "wire/escape.h"
#include "workspace/kernel-command-line.h"
#include "workspace/workspace-id.h"

namespace bothy {
namespace {

constexpr uint32_t RECOVERY_GRACE_MILLIS = 10000;

int64_t nanos(kj::Date date) {
  return (date - kj::UNIX_EPOCH) / kj::NANOSECONDS;
}

kj::StringPtr describe(VmEnd end) {
  switch (end) {
    case VmEnd::POWERED_OFF:
      return "the machine turned itself off";
    case VmEnd::REBOOTED:
      return "the machine asked for a reboot and was stopped instead";
    case VmEnd::CRASHED:
      return "the machine's kernel panicked";
    case VmEnd::DESTROYED:
      return "the machine was ended by force";
    case VmEnd::EXITED:
      return "the machine's QEMU ended without being asked to";
  }
  KJ_UNREACHABLE;
}

// An exception as one line for people.
kj::String line(const kj::Exception& exception) {
  return escapeGuestText(exception.getDescription().asArray());
}

template <typename T>
kj::Promise<T> within(kj::Timer& timer, kj::Duration limit, kj::StringPtr what,
                      kj::Promise<T> promise) {
  return promise.exclusiveJoin(
      timer.afterDelay(limit).then([what = kj::heapString(what), limit]() -> kj::Promise<T> {
        return KJ_EXCEPTION(OVERLOADED, kj::str(what, " within ", limit / kj::SECONDS, " s"));
      }));
}

}  // namespace

Workspace::Workspace(World& world, Owner& owner, WorkspaceRow row)
    : world(world), owner(owner), record(kj::mv(row)) {}

Workspace::~Workspace() noexcept(false) {}

// ---------------------------------------------------------------------------------------------
// State

EventRecord Workspace::event(WorkspaceState after, Cause cause, kj::StringPtr detail) {
  EventRecord result;
  result.timeNanos = nanos(world.clock.now());
  result.workspace = kj::str(record.name);
  result.workspaceId = kj::str(record.id);
  result.before = record.state;
  result.after = after;
  result.cause = cause;
  result.detail = kj::str(detail);
  return result;
}

WorkspaceRow Workspace::changed(Happening happening, kj::StringPtr detail) {
  auto next = record.clone();
  KJ_IF_MAYBE (state, stateAfter(record.state, happening)) {
    next.state = *state;
  } else {
    KJ_FAIL_REQUIRE("a workspace's state does not allow this", record.id, record.state,
                    static_cast<int>(happening));
  }
  next.failure = next.state == WorkspaceState::FAILED ? kj::str(detail) : nullptr;
  bool mayRun = next.state == WorkspaceState::STARTING || next.state == WorkspaceState::RUNNING ||
                next.state == WorkspaceState::STOPPING;
  if (!mayRun) next.secret = nullptr;
  if (next.state != WorkspaceState::RUNNING) next.agentVersion = nullptr;
  return next;
}

void Workspace::transition(Happening happening, Cause cause, kj::StringPtr detail) {
  auto next = changed(happening, detail);
  auto told = event(next.state, cause, detail);
  world.store.update(next, told);
  auto &workspace = record.name, &id = record.id;
  auto before = record.state, after = next.state;
  KJ_LOG(INFO, "state", workspace, id, before, after, cause, detail);
  record = kj::mv(next);
  world.events.grew();
}

void Workspace::transitionAnyway(Happening happening, Cause cause, kj::StringPtr detail) {
  KJ_IF_MAYBE (e, kj::runCatchingExceptions([&]() { transition(happening, cause, detail); })) {
    KJ_LOG(ERROR, "the state of a workspace could not be stored; a restart sorts it out",
           record.name, record.id, e->getDescription());
    record = changed(happening, detail);
  }
}

void Workspace::note(Cause cause, kj::StringPtr detail) {
  KJ_IF_MAYBE (e, kj::runCatchingExceptions(
                      [&]() { world.store.append(event(record.state, cause, detail)); })) {
    KJ_LOG(ERROR, "an event could not be stored", record.name, cause, e->getDescription());
    return;
  }
  KJ_LOG(WARNING, "workspace", record.name, record.id, cause, detail);
  world.events.grew();
}

void Workspace::reach(Stage reached) {
  stage = reached;
  auto elapsed = world.timer.now() - stageBase;
  for (auto& listener : listeners) listener->stage(reached, elapsed);
}

void Workspace::listen(kj::Maybe<kj::Own<Progress>> progress) {
  KJ_IF_MAYBE (p, progress) {
    if (starting != nullptr) (*p)->stage(stage, world.timer.now() - stageBase);
    listeners.add(kj::mv(*p));
  }
}

kj::Maybe<kj::Own<Machine>> Workspace::machine() {
  if (record.state != WorkspaceState::RUNNING) return nullptr;
  KJ_IF_MAYBE (m, current) {
    return kj::addRef(**m);
  }
  return nullptr;
}

// ---------------------------------------------------------------------------------------------
// Starting

void Workspace::begin(kj::Promise<kj::Own<StartReport>> operation) {
  starting = canceler.wrap(kj::mv(operation)).fork();
}

kj::Promise<Workspace::StartOutcome> Workspace::joinStart() {
  auto self = addRef();
  return KJ_ASSERT_NONNULL(starting)
      .addBranch()
      .then([](kj::Own<StartReport> report) -> StartOutcome { return kj::mv(report); },
            [](kj::Exception&&) -> StartOutcome { return Superseded(); })
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
  auto reply = replyTo(Wish::START, record.state);
  if (reply == Reply::BEGIN) {
    starting = nullptr;
    stageBase = world.timer.now();
    listen(kj::mv(progress));
    begin(kj::evalNow([&]() { return runStart(); }));
  } else {
    KJ_REQUIRE(reply == Reply::JOIN, record.state);
    listen(kj::mv(progress));
  }
  return joinStart();
}

kj::Promise<Workspace::StartOutcome> Workspace::join(kj::Maybe<kj::Own<Progress>> progress) {
  listen(kj::mv(progress));
  return joinStart();
}

kj::Promise<kj::Own<StartReport>> Workspace::runMake(bool thenStart) {
  KJ_DEFER(listeners.clear());
  reach(Stage::CREATING_DISK);
  kj::Maybe<kj::Exception> failure;
  try {
    co_await world.volumes.create(record.id, uint64_t(record.diskMib) * 1024 * 1024, record.uid);
    transition(Happening::DISK_MADE, Cause::REQUEST);
  } catch (...) {
    failure = kj::getCaughtExceptionAsKj();
  }
  KJ_IF_MAYBE (e, failure) {
    KJ_LOG(ERROR, "a workspace's disk could not be made", record.name, record.id,
           e->getDescription());
    auto report = kj::refcounted<StartReport>();
    report->failure = StartReport::Failure{Stage::CREATING_DISK, line(*e), nullptr,
                                           e->getType() == kj::Exception::Type::OVERLOADED};
    transitionAnyway(Happening::DELETE_BEGAN, Cause::START_FAILED, line(*e));
    erasing = runErase().fork();
    co_await KJ_ASSERT_NONNULL(erasing).addBranch();
    co_return kj::mv(report);
  }
  if (!thenStart) co_return kj::refcounted<StartReport>();
  co_return co_await runStart();
}

kj::Promise<kj::Own<StartReport>> Workspace::runStart() {
  KJ_DEFER(listeners.clear());
  kj::Maybe<kj::Exception> failure;
  try {
    co_await boot();
  } catch (...) {
    failure = kj::getCaughtExceptionAsKj();
  }
  KJ_IF_MAYBE (e, failure) {
    co_return co_await failStart(kj::mv(*e));
  }
  co_return kj::refcounted<StartReport>();
}

// For a machine that an earlier bothyd started: the rest of the way.
kj::Promise<kj::Own<StartReport>> Workspace::runAwait() {
  KJ_DEFER(listeners.clear());
  kj::Maybe<kj::Exception> failure;
  try {
    reach(Stage::BOOTING);
    co_await awaitAgent(*KJ_ASSERT_NONNULL(current));
  } catch (...) {
    failure = kj::getCaughtExceptionAsKj();
  }
  KJ_IF_MAYBE (e, failure) {
    co_return co_await failStart(kj::mv(*e));
  }
  co_return kj::refcounted<StartReport>();
}

kj::Promise<void> Workspace::boot() {
  // The secret is stored before a machine has it: a bothyd that takes over must know it.
  {
    auto secret = kj::heapArray<kj::byte>(rpc::SECRET_BYTES);
    world.randomness.fill(secret);
    auto before = kj::mv(record.secret);
    record.secret = kj::mv(secret);
    KJ_ON_SCOPE_FAILURE(record.secret = kj::mv(before));
    transition(Happening::START_BEGAN, Cause::REQUEST);
  }
  reach(Stage::STARTING_VM);
  auto image = world.images.find(record.image);
  KJ_REQUIRE(image != nullptr, "the image is not installed any more", record.image);
  world.files.prepare(record.id);
  auto vm =
      co_await within(world.timer, world.deadlines.startVm, "the machine could not be started",
                      world.driver.start(vmSpec(kj::mv(image))));
  take(kj::mv(vm));
  reach(Stage::BOOTING);
  co_await awaitAgent(*KJ_ASSERT_NONNULL(current));
}

kj::Promise<void> Workspace::awaitAgent(Machine& machine) {
  auto limit = world.driver.abilities().accelerator == HostAbilities::Accelerator::KVM
                   ? world.deadlines.agentReadyKvm
                   : world.deadlines.agentReadyTcg;
  auto end = machine.onEnd().then([](VmEnd end) -> kj::Promise<void> {
    return KJ_EXCEPTION(FAILED, kj::str("while booting, ", describe(end)));
  });
  co_await within(world.timer, limit, "the machine's agent did not answer",
                  machine.ready().exclusiveJoin(kj::mv(end)));

  // Its version is for people: an agent that does not tell it is an agent all the same.
  kj::String version;
  auto asked = machine.agent(AgentLink::Lane::INTERACTIVE)
                   .then([](rpc::Agent::Client agent) {
                     return agent.systemRequest().send().getSystem().reportRequest().send();
                   })
                   .then([&version](auto&& response) {
                     version = escapeGuestText(response.getReport().getAgentVersion().asArray());
                   });
  co_await within(world.timer, HELLO_LIMIT, "the agent did not report", kj::mv(asked))
      .catch_([this](kj::Exception&& e) {
        KJ_LOG(WARNING, "the agent does not report its boot", record.name, e.getDescription());
      });

  record.agentVersion = kj::mv(version);
  record.startedNanos = nanos(world.clock.now());
  transition(Happening::AGENT_ANSWERED, Cause::REQUEST);
  watchMachine();
  reach(Stage::AGENT_READY);
}

kj::Promise<kj::Own<StartReport>> Workspace::failStart(kj::Exception exception) {
  auto message = line(exception);
  KJ_IF_MAYBE (m, current) {
    auto gone = within(world.timer, world.deadlines.destroyVm, "the machine could not be ended",
                       (*m)->destroy());
    co_await gone.catch_([this](kj::Exception&& e) {
      KJ_LOG(ERROR, "what is left of a failed start stays until a restart", record.name, record.id,
             e.getDescription());
    });
  }
  auto report = kj::refcounted<StartReport>();
  kj::String console;
  kj::runCatchingExceptions([&]() { console = world.files.consoleEnd(record.id); });
  report->failure = StartReport::Failure{stage, kj::str(message), kj::mv(console)};
  retireMachine();
  if (record.state == WorkspaceState::STARTING) {
    transitionAnyway(Happening::START_FAILED, Cause::START_FAILED, message);
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
  spec.uid = record.uid;
  spec.cid = record.cid;
  KJ_IF_MAYBE (name, WorkspaceName::parse(record.name)) {
    spec.commandLine = kernelCommandLine(*name, record.cpus);
  } else {
    KJ_FAIL_REQUIRE("the store holds a name that is none", record.id);
  }
  spec.secret = kj::heapArray<kj::byte>(record.secret);
  spec.runtimeDir = kj::mv(paths.runtimeDir);
  spec.consoleLog = kj::mv(paths.consoleLog);
  return spec;
}

// ---------------------------------------------------------------------------------------------
// The machine

void Workspace::take(kj::Own<RunningVm> vm) {
  current =
      kj::refcounted<Machine>(world.timer, kj::mv(vm), kj::heapArray<kj::byte>(record.secret));
}

void Workspace::watchMachine() {
  watch = KJ_ASSERT_NONNULL(current)
              ->onEnd()
              .then([this](VmEnd end) { machineEnded(end); })
              .eagerlyEvaluate([this](kj::Exception&& e) {
                KJ_LOG(ERROR, "a machine is not watched any more", record.name, e.getDescription());
              });
}

void Workspace::machineEnded(VmEnd end) {
  if (record.state != WorkspaceState::RUNNING) return;
  retireMachine();
  switch (end) {
    case VmEnd::POWERED_OFF:
    case VmEnd::REBOOTED:
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

kj::Promise<kj::OneOf<StopKind, Superseded>> Workspace::stop(uint32_t graceMillis) {
  using Outcome = kj::OneOf<StopKind, Superseded>;
  auto reply = replyTo(Wish::STOP, record.state);
  if (reply == Reply::ALREADY) return Outcome(StopKind::ALREADY);
  if (reply == Reply::BEGIN) {
    transition(Happening::STOP_BEGAN, Cause::REQUEST);
    watch = nullptr;
    greeting = nullptr;
    stopping = canceler.wrap(kj::evalNow([&]() { return runStop(graceMillis); })).fork();
  } else {
    KJ_REQUIRE(reply == Reply::JOIN, record.state);
  }
  auto self = addRef();
  return KJ_ASSERT_NONNULL(stopping)
      .addBranch()
      .then([](StopKind kind) -> Outcome { return kind; },
            [](kj::Exception&&) -> Outcome { return Superseded(); })
      .attach(kj::mv(self));
}

kj::Promise<StopKind> Workspace::runStop(uint32_t graceMillis) {
  auto& machine = *KJ_ASSERT_NONNULL(current);
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
  for (auto pause = world.deadlines.leastRetry; ended == nullptr;
       pause = kj::min(pause * 2, world.deadlines.mostRetry)) {
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
      co_await world.timer.afterDelay(pause);
    }
  }
  auto end = KJ_ASSERT_NONNULL(ended);
  retireMachine();
  transitionAnyway(Happening::MACHINE_ENDED, Cause::REQUEST, describe(end));
  co_return end == VmEnd::POWERED_OFF ? StopKind::ORDERLY : StopKind::FORCED;
}

kj::Promise<void> Workspace::requestPowerOff(Machine& machine, uint32_t graceMillis) {
  auto agent = co_await machine.agent(AgentLink::Lane::INTERACTIVE);
  auto request = agent.systemRequest().send().getSystem().powerOffRequest();
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
  if (erasing == nullptr) {
    transition(Happening::DELETE_BEGAN, Cause::REQUEST);
    canceler.cancel("the workspace is being deleted");
    watch = nullptr;
    greeting = nullptr;
    listeners.clear();
    erasing = runErase().fork();
  }
  return KJ_ASSERT_NONNULL(erasing).addBranch().attach(addRef());
}

kj::Promise<void> Workspace::runErase() {
  // Begun, it always ends: whatever refuses is asked again.
  for (auto pause = world.deadlines.leastRetry;;
       pause = kj::min(pause * 2, world.deadlines.mostRetry)) {
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
    co_await world.timer.afterDelay(pause);
  }
  owner.gone(*this);
}

kj::Promise<void> Workspace::eraseOnce() {
  KJ_IF_MAYBE (m, current) {
    co_await within(world.timer, world.deadlines.destroyVm, "the machine could not be ended",
                    (*m)->destroy());
    retireMachine();
  }
  co_await world.volumes.destroy(record.id);
  world.files.remove(record.id);
  auto told = event(WorkspaceState::DELETING, Cause::REQUEST, nullptr);
  told.gone = true;
  world.store.remove(record.id, told);
  KJ_LOG(INFO, "workspace deleted", record.name, record.id);
  world.events.grew();
}

// ---------------------------------------------------------------------------------------------
// Recovery

kj::Promise<void> Workspace::recover() {
  bool mayRun = record.state != WorkspaceState::STOPPED && record.state != WorkspaceState::FAILED &&
                record.state != WorkspaceState::CREATING;
  kj::Maybe<kj::Own<RunningVm>> found;
  if (mayRun) {
    // An image that went away does not matter to a machine that runs.
    kj::Maybe<Image> image;
    kj::runCatchingExceptions([&]() { image = world.images.find(record.image); });
    found = co_await world.driver.adopt(vmSpec(kj::mv(image)));
  }
  bool runs = found != nullptr;
  KJ_IF_MAYBE (vm, found) {
    take(kj::mv(*vm));
  }

  switch (recoveryOf(record.state, runs)) {
    case Recovery::KEEP:
      break;
    case Recovery::ERASE:
      transition(Happening::DELETE_BEGAN, Cause::RECOVERED, "it was half-made");
      co_await eraseOnce();
      owner.gone(*this);
      break;
    case Recovery::ADOPT: {
      world.store.append(event(record.state, Cause::ADOPTED, nullptr));
      world.events.grew();
      KJ_LOG(INFO, "workspace adopted", record.name, record.id);
      watchMachine();
      auto& machine = *KJ_ASSERT_NONNULL(current);
      greeting = machine.agent(AgentLink::Lane::INTERACTIVE)
                     .ignoreResult()
                     .eagerlyEvaluate([this](kj::Exception&& e) {
                       KJ_LOG(WARNING, "the agent of an adopted workspace does not answer",
                              record.name, e.getDescription());
                     });
      break;
    }
    case Recovery::FINISH_START:
      stageBase = world.timer.now();
      begin(kj::evalNow([&]() { return runAwait(); }));
      break;
    case Recovery::FINISH_STOP:
      stopping =
          canceler.wrap(kj::evalNow([&]() { return runStop(RECOVERY_GRACE_MILLIS); })).fork();
      break;
    case Recovery::MARK_STOPPED:
      transition(Happening::MACHINE_ENDED, Cause::RECOVERED,
                 "its machine was gone when the supervisor started");
      break;
    case Recovery::FINISH_DELETE:
      erasing = runErase().fork();
      break;
  }
}

}  // namespace bothy
