#include "support/fake-supervisor.h"

#include <capnp/rpc.capnp.h>
#include <capnp/serialize-async.h>
#include <kj/debug.h>

#include "support/fake-expiry.h"
#include "support/fake-halts.h"
#include "support/fake-tiers.h"

namespace bothy {

class FakeSupervisor::Server final: public rpc::Supervisor::Server,
                                    public rpc::SessionGate::Server {
public:
  explicit Server(FakeSupervisor& fake) : fake(fake) {}

  DispatchCallResult dispatchCall(
      uint64_t interfaceId, uint16_t methodId,
      capnp::CallContext<capnp::AnyPointer, capnp::AnyPointer> context) override {
    if (interfaceId == capnp::typeId<rpc::SessionGate>()) {
      return rpc::SessionGate::Server::dispatchCall(interfaceId, methodId, context);
    }
    return rpc::Supervisor::Server::dispatchCall(interfaceId, methodId, context);
  }

  kj::Promise<void> metering(MeteringContext call) override { return fake.metering.give(call); }
  kj::Promise<void> sessions(SessionsContext context) override {
    context.getResults().setSessions(fake.sessions.sessions());
    return kj::READY_NOW;
  }
  kj::Promise<void> activity(ActivityContext context) override {
    context.getResults().setActivity(fake.activity.client());
    return kj::READY_NOW;
  }
  kj::Promise<void> redeem(RedeemContext context) override {
    fake.sessions.redeem(context.getParams().getToken(), context.getResults(),
                         [this](rpc::LaneRequest::Reader wanted) { return fake.newLane(wanted); });
    return kj::READY_NOW;
  }

  kj::Promise<void> version(VersionContext context) override {
    auto results = context.getResults();
    results.setGeneration(1);
    results.setVersion("1.2.3");
    results.setAccelerator("tcg");
    results.setVsock("vhost-user");
    return kj::READY_NOW;
  }
  kj::Promise<void> create(CreateContext context) override {
    auto params = context.getParams();
    auto name = params.getSpec().getName();
    auto progress = params.getProgress();
    auto outcome = context.getResults().initOutcome();
    if (fake.isFull) {
      refuse(outcome.initNoCapacity());
      co_return;
    }
    if (name == "demo") {
      describe(outcome.initExists(), "demo", rpc::WorkspaceState::RUNNING);
      co_return;
    }
    co_await tell(progress, rpc::Stage::CREATING_DISK);
    KJ_IF_MAYBE (before, fake.startsBefore) {
      for (auto count = *before; count > 0; count--) {
        co_await tell(progress, rpc::Stage::WAITING, count - 1);
      }
    }
    co_await tell(progress, rpc::Stage::BOOTING);
    KJ_IF_MAYBE (message, fake.startFailure) {
      auto failed = outcome.initFailed();
      failed.setStage(rpc::Stage::BOOTING);
      failed.setMessage(*message);
      failed.setConsole("line one\n\x1b[31mline two\n");
      co_return;
    }
    auto info = outcome.initCreated();
    info.setSpec(params.getSpec());
    info.setState(fake.setup.state);
    co_await fake.setup.create(params.getSpec(), info, progress);
  }
  kj::Promise<void> setup(SetupContext context) override {
    fake.setup.tell(context.getParams(), context.getResults().initOutcome());
    return kj::READY_NOW;
  }
  kj::Promise<void> list(ListContext context) override {
    ++fake.lists;
    constexpr struct {
      kj::StringPtr name;
      rpc::WorkspaceState state;
    } ALL[] = {{"demo"_kj, rpc::WorkspaceState::RUNNING}, {"idle"_kj, rpc::WorkspaceState::FAILED}};
    auto params = context.getParams();
    for (auto label : params.getLabels()) {
      fake.wantedLabels = kj::str(label.getKey(), '=', label.getValue());
    }
    kj::Vector<kj::uint> found;
    auto results = context.getResults();
    for (kj::uint i = 0; i < kj::size(ALL); i++) {
      auto& each = ALL[i];
      bool isWanted = params.getStates().size() == 0;
      for (auto state : params.getStates()) isWanted = isWanted || state == each.state;
      if (!isWanted || !each.name.startsWith(params.getPrefix())) continue;
      if (!(params.getAfter() < each.name)) continue;
      if (found.size() == fake.page) {
        results.setNext(ALL[found.back()].name);
        break;
      }
      found.add(i);
    }
    auto list = results.initWorkspaces(found.size());
    for (auto i : kj::indices(found)) {
      auto& each = ALL[found[i]];
      describe(list[i], each.name, each.state);
      if (each.state == rpc::WorkspaceState::FAILED) list[i].setFailure("it said \x1b]0;x\x07");
      if (each.state != rpc::WorkspaceState::RUNNING) continue;
      auto activity = list[i].initActivity();
      activity.getInput().setSinceMillis(192'000);
      activity.setCommands(fake.commands);
      list[i].setPausesNanos(fake.activity.pausesNanos);
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> get(GetContext context) override {
    auto outcome = context.getResults().initOutcome();
    auto name = context.getParams().getName();
    if (name == "demo") {
      describe(outcome.initFound(), "demo", fake.state.orDefault(rpc::WorkspaceState::RUNNING));
    } else if (name == "idle") {
      describe(outcome.initFound(), "idle", rpc::WorkspaceState::STOPPED);
    } else {
      outcome.setAbsent();
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> connect(ConnectContext context) override {
    auto params = context.getParams();
    auto name = params.getName();
    auto results = context.getResults();
    auto outcome = results.initOutcome();
    if (name == "demo" && params.getWake() && fake.isPaused()) {
      ++fake.wakes;
      fake.state = nullptr;
    }
    if (name == "demo" && fake.stalled.size() > 0) {
      outcome.setStalled(fake.stalled);
    } else if (name == "demo" && fake.state != nullptr) {
      outcome.setNotRunning(KJ_ASSERT_NONNULL(fake.state));
    } else if (name == "demo" && fake.unreachable) {
      outcome.setUnreachable("no answer");
    } else if (name == "demo" && fake.agentTooOld != nullptr) {
      outcome.setAgentTooOld(KJ_ASSERT_NONNULL(fake.agentTooOld));
    } else if (name == "demo") {
      results.setLane(fake.newLane(params.getWanted()));
      auto info = outcome.initConnected();
      describe(info, "demo", rpc::WorkspaceState::RUNNING);
      info.setStartedNanos(fake.startedNanos);
    } else if (name == "idle") {
      outcome.setNotRunning(rpc::WorkspaceState::STOPPED);
    } else {
      outcome.setAbsent();
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> start(StartContext context) override {
    auto name = context.getParams().getName();
    auto outcome = context.getResults().initOutcome();
    ++fake.starts;
    if (fake.isFull) {
      refuse(outcome.initNoCapacity());
      return kj::READY_NOW;
    }
    if (name == "demo" && fake.state != nullptr) {
      fake.state = nullptr;
      ++fake.startedNanos;
    }
    if (name == "demo" || name == "idle") {
      describe(outcome.initStarted(), name, fake.setup.state);
    } else {
      outcome.setAbsent();
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> watch(WatchContext context) override {
    auto results = context.getResults();
    results.setFirst(1);
    results.setLast(fake.lastEvent);
    fake.watcher = context.getParams().getSink();
    return kj::READY_NOW;
  }
  kj::Promise<void> stop(StopContext context) override {
    auto outcome = context.getResults().initOutcome();
    if (context.getParams().getName() == "demo") {
      fake.isForced = context.getParams().getGraceMillis() == 0;
      outcome.setStopped(context.getParams().getGraceMillis() == 0
                             ? rpc::Supervisor::StopKind::FORCED
                             : rpc::Supervisor::StopKind::ORDERLY);
    } else {
      outcome.setAbsent();
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> delete_(DeleteContext context) override {
    auto name = context.getParams().getName();
    auto outcome = context.getResults().initOutcome();
    if (name == "demo" || name == "idle") {
      outcome.setDeleted();
    } else {
      outcome.setAbsent();
    }
    return kj::READY_NOW;
  }
  // There are `demo`, of 4 GiB, on a host that holds disks up to 1 TiB, `busy` and `expired`.
  kj::Promise<void> resize(ResizeContext context) override {
    constexpr uint32_t PRESENT_MIB = 4096, MOST_MIB = 1 << 20;
    auto name = context.getParams().getName();
    auto wanted = context.getParams().getDiskMib();
    auto outcome = context.getResults().initOutcome();
    if (fake.isFull) {
      refuse(outcome.initNoCapacity());
    } else if (name == "busy" || name == "expired") {
      outcome.setBusy(name == "busy" ? rpc::WorkspaceState::RUNNING : rpc::WorkspaceState::EXPIRED);
    } else if (name != "demo") {
      outcome.setAbsent();
    } else if (wanted < PRESENT_MIB) {
      outcome.setInvalid("diskMib is too small");
    } else if (wanted > MOST_MIB) {
      outcome.setNoSpace("evil\x1b[2J");
    } else {
      auto info = outcome.initResized();
      info.initSpec().setDiskMib(wanted);
      info.setState(rpc::WorkspaceState::STOPPED);
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> doctor(DoctorContext context) override {
    auto findings = context.getResults().initFindings(fake.refusesHost ? 3 : 2);
    findings[0].setName("fuse");
    findings[0].setFound("/dev/fuse");
    findings[1].setName("swap");
    findings[1].setVerdict(rpc::Verdict::WARN);
    findings[1].setFound("not encrypted: /dev/sda\x1b[m");
    findings[1].setAdvice("swapoff \x1b[m it");
    if (fake.refusesHost) {
      findings[2].setName("root");
      findings[2].setVerdict(rpc::Verdict::REFUSE);
      findings[2].setFound("bothyd runs as user 1000");
      findings[2].setAdvice("start it as root");
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> pause(PauseContext context) override {
    fillPause(fake, context.getParams().getName(), context.getResults().initOutcome());
    return kj::READY_NOW;
  }
  kj::Promise<void> hibernate(HibernateContext context) override {
    fillHibernation(fake, context.getParams().getName(), context.getResults().initOutcome());
    return kj::READY_NOW;
  }
  kj::Promise<void> resume(ResumeContext context) override {
    fillResume(fake, context.getParams().getName(), context.getResults().initOutcome());
    return kj::READY_NOW;
  }
  kj::Promise<void> whenResumed(WhenResumedContext context) override {
    while (fake.isPaused()) co_await fake.resumeWaiters.wait();
    context.getResults().setState(fake.state.orDefault(rpc::WorkspaceState::RUNNING));
  }
  kj::Promise<void> tiers(TiersContext context) override {
    fillTiers(context.getResults());
    return kj::READY_NOW;
  }
  kj::Promise<void> expire(ExpireContext context) override {
    const bool runs = fake.state == nullptr && !fake.isForced;
    fillExpiry(context.getParams().getName(), runs, context.getResults().initOutcome());
    return kj::READY_NOW;
  }
  kj::Promise<void> users(UsersContext context) override {
    context.getResults().setUsers(fake.users.users());
    return kj::READY_NOW;
  }
  // `demo` has 10 GiB of disk, if it is to be "free", and else less than it may have.
  kj::Promise<void> changeTier(ChangeTierContext context) override {
    auto params = context.getParams();
    auto outcome = context.getResults().initOutcome();
    const bool isFree = params.getTier() == "free";
    if (fake.isFull) {
      refuse(outcome.initNoCapacity());
    } else if (params.getName() != "demo") {
      outcome.setAbsent();
    } else if (!isFree && params.getTier() != "pro") {
      outcome.setInvalid(kj::str("tier is '", params.getTier(), "': it must be one of free, pro"));
    } else if (isFree && !params.getKeepDisk()) {
      auto plan = outcome.initPlanned();
      plan.setRefusal("a disk never shrinks\x1b");
      auto changes = plan.initChanges(1);
      fill(changes[0], rpc::TierPlan::Figure::DISK_MIB, 10240, 2048, rpc::TierPlan::When::NEVER);
    } else {
      auto plan = params.getApply() ? outcome.initChanged() : outcome.initPlanned();
      auto changes = plan.initChanges(3);
      fill(changes[0], rpc::TierPlan::Figure::CPUS, 1, 2, rpc::TierPlan::When::NEXT_START);
      fill(changes[1], rpc::TierPlan::Figure::MEMORY_MIB, 512, 2048,
           rpc::TierPlan::When::NEXT_START);
      fill(changes[2], rpc::TierPlan::Figure::SESSIONS, 1, 3, rpc::TierPlan::When::NOW);
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> capacity(CapacityContext context) override {
    auto capacity = context.getResults().initCapacity();
    auto memory = capacity.getMemory();
    memory.setUsedMib(1024), memory.setMostMib(4096);
    capacity.getCpus().setUsed(2), capacity.getCpus().setMost(32);
    capacity.getDisk().setPromisedMib(8192);
    capacity.getDisk().setFreeMib(51200);
    capacity.getDisk().setKeptMib(256);
    return kj::READY_NOW;
  }

private:
  static void fill(rpc::TierPlan::Change::Builder change, rpc::TierPlan::Figure figure,
                   uint64_t before, uint64_t after, rpc::TierPlan::When when) {
    change.setFigure(figure);
    change.setBefore(before);
    change.setAfter(after);
    change.setWhen(when);
  }
  static void refuse(rpc::Shortage::Builder shortage) {
    shortage.setWhy("the host has too little memory left: evil\x1b[2J");
  }
  static kj::Promise<void> tell(rpc::Progress::Client progress, rpc::Stage stage,
                                kj::uint before = 0) {
    auto request = progress.stageRequest();
    request.setStage(stage);
    request.setBefore(before);
    // Nobody listens where the client gave no capability.
    return request.send().catch_([](kj::Exception&&) {});
  }
  FakeSupervisor& fake;
};

FakeSupervisor::FakeSupervisor(kj::AsyncIoContext& io)
    : io(io), agent([](const LaneGrant&) -> capnp::Capability::Client {
        KJ_FAIL_REQUIRE("nobody says Hello here");
      }) {}

FakeSupervisor::~FakeSupervisor() noexcept(false) {
  breakConnections();
}

kj::Own<kj::AsyncCapabilityStream> FakeSupervisor::connect() {
  KJ_REQUIRE(!down, "the test took the supervisor down");
  auto pipe = io.provider->newCapabilityPipe();
  serve(kj::mv(pipe.ends[0]));
  return kj::mv(pipe.ends[1]);
}

void FakeSupervisor::serve(kj::Own<kj::AsyncCapabilityStream> stream) {
  auto messages = connections < supervisorCuts.size() ? supervisorCuts[connections]
                                                      : FakeSupervisorConnection::NEVER;
  ++connections;
  KJ_IF_MAYBE (why, turnsAway) {
    turnAway(kj::mv(stream), *why);
    return;
  }
  links.add(kj::heap<FakeSupervisorConnection>(kj::mv(stream),
                                               rpc::Supervisor::Client(kj::heap<Server>(*this)),
                                               messages, [this]() { forgetLanes(); }));
}

// As bothyd does.
void FakeSupervisor::turnAway(kj::Own<kj::AsyncIoStream> stream, kj::StringPtr why) {
  auto message = kj::heap<capnp::MallocMessageBuilder>();
  auto abort = message->initRoot<capnp::rpc::Message>().initAbort();
  abort.setType(capnp::rpc::Exception::Type::OVERLOADED);
  abort.setReason(kj::str("bothyd: ", why));
  auto writing = capnp::writeMessage(*stream, *message);
  refusals.add(
      writing.attach(kj::mv(stream), kj::mv(message)).eagerlyEvaluate([](kj::Exception&&) {}));
}

void FakeSupervisor::tellEvents(kj::uint count) {
  for (kj::uint i = 0; i < count; ++i) {
    auto request = KJ_REQUIRE_NONNULL(watcher, "nobody watches").eventRequest();
    auto event = request.initEvent();
    event.setNumber(++events);
    event.setWorkspace("demo");
    event.setDetail("it said \x1b[m");
    event.setActor("session 1 of eve\x1b");
    telling = telling.then([sent = request.send()]() mutable { return kj::mv(sent); })
                  .catch_([](kj::Exception&&) {})
                  .eagerlyEvaluate(nullptr);
  }
}

void FakeSupervisor::breakSupervisor() {
  watcher = nullptr;
  forgetLanes();
  links.clear();
}

void FakeSupervisor::breakConnections() {
  breakSupervisor();
  breakLanes();
}

}  // namespace bothy
