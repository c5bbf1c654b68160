#include "simulation/simulated-machine.h"

#include <kj/debug.h>

#include "lane/lane-greeting.h"
#include "schema/agent.capnp.h"
#include "wire/rpc-connection.h"

namespace bothy {

// A lane is that for so long.
constexpr kj::Duration NEW_LANE = 1 * kj::SECONDS;

class SimulatedMachine::Control final: public rpc::AgentControl::Server {
public:
  explicit Control(SimulatedMachine& machine) : machine(machine) {}

private:
  SimulatedMachine& machine;

  kj::Promise<void> ping(PingContext) override { return machine.untilItRuns(); }
  kj::Promise<void> report(ReportContext context) override {
    co_await machine.untilItRuns();
    context.getResults().initReport().setAgentVersion("1.2.3");
  }
  kj::Promise<void> endLanes(EndLanesContext context) override {
    co_await machine.untilItRuns();
    auto which = context.getParams().getWhich();
    if (machine.fate.strikes(Fault::AGENT_KEEPS_LANES)) {
      machine.trace.line("guest", machine.label, " does not end lanes");
      co_await kj::Promise<void>(kj::NEVER_DONE);
    }
    machine.dropLanes([&](const SessionLane& lane) {
      return which.isLane() ? lane.lane == which.getLane() : lane.session == which.getSession();
    });
  }
  kj::Promise<void> configure(ConfigureContext context) override {
    co_await machine.untilItRuns();
    machine.guestSetup.configure(context.getParams().getConfiguration());
  }
  kj::Promise<void> setup(SetupContext context) override {
    co_await machine.untilItRuns();
    co_await machine.guestSetup.onChange(context.getParams().getAfter());
    machine.guestSetup.tell(context.getResults().initStatus());
  }
  kj::Promise<void> retrySetup(RetrySetupContext) override {
    co_await machine.untilItRuns();
    machine.guestSetup.retry();
  }
  kj::Promise<void> freeze(FreezeContext) override { return machine.untilItRuns(); }
  kj::Promise<void> wake(WakeContext) override { return machine.untilItRuns(); }
  kj::Promise<void> powerOff(PowerOffContext) override {
    co_await machine.untilItRuns();
    machine.powerOff();
  }
};

kj::Promise<void> SimulatedMachine::greet(kj::Own<kj::AsyncIoStream> stream) {
  auto message = co_await readGreeting(*stream);
  const bool isKnown =
      guest.acceptsSecret && message->getRoot<rpc::Hello>().getSecret() == spec.secret.asPtr();
  if (isKnown) message = co_await readGreeting(*stream);
  co_await untilItRuns();
  if (!guest.answersHello) co_await kj::Promise<void>(kj::NEVER_DONE);
  auto answer = kj::heap<capnp::MallocMessageBuilder>();
  auto welcome = answer->initRoot<rpc::Welcome>();
  if (!isKnown) {
    trace.line("guest", label, " refuses the secret");
    welcome.setRefused(rpc::Refusal::WRONG_SECRET);
    co_await writeGreeting(*stream, kj::mv(answer));
    co_return;
  }
  trace.line("guest", label, " welcomes");
  auto grant = message->getRoot<rpc::Grant>();
  if (grant.getPurpose() != rpc::Purpose::CONTROL && !cutLanes.contains(grant.getLane())) {
    auto lifetime = grant.getLifetime();
    const auto until = lifetime.isMillis()
                           ? timer.now() + int64_t(lifetime.getMillis()) * kj::MILLISECONDS
                           : timer.now() + 365 * 100 * kj::DAYS;
    sessionLanes.add(SessionLane{kj::str(grant.getSession()), grant.getLane(), timer.now(), until});
  }
  welcome.setGeneration(guest.generation);
  co_await writeGreeting(*stream, kj::mv(answer));
  if (guest.breaksOff) tasks.add(breakOff());
  RpcConnection connection(kj::mv(stream), kj::heap<Control>(*this));
  co_await connection.onDisconnect();
}

SimulatedMachine::SimulatedMachine(kj::Timer& timer, Fate& fate, Trace& trace, Judge& judge,
                                   DiskSetup& diskSetup, VmSpec specParam, kj::String labelParam)
    : spec(kj::mv(specParam)),
      label(kj::mv(labelParam)),
      timer(timer),
      fate(fate),
      trace(trace),
      guest(bornOf(fate)),
      guestSetup(fate, trace, judge, diskSetup, label,
                 [this](kj::Duration time) { return later(time); }),
      exited(nullptr),
      tasks(*this),
      connections(*this) {
  auto paf = kj::newPromiseAndFulfiller<void>();
  exited = paf.promise.fork();
  exit = kj::mv(paf.fulfiller);
}

SimulatedMachine::~SimulatedMachine() noexcept(false) {}

void SimulatedMachine::taskFailed(kj::Exception&&) {
  // A connection that broke: its other end is told.
}

kj::Own<kj::AsyncIoStream> SimulatedMachine::openConsole() {
  auto pipe = kj::newTwoWayPipe();
  console = kj::mv(pipe.ends[1]);
  return kj::mv(pipe.ends[0]);
}

void SimulatedMachine::say(kj::StringPtr textParam) {
  KJ_IF_MAYBE (stream, console) {
    auto text = kj::str(textParam);
    auto written = (*stream)->write(text.begin(), text.size());
    speaking = written.attach(kj::mv(text)).eagerlyEvaluate([](kj::Exception&&) {});
  }
}

void SimulatedMachine::run() {
  KJ_REQUIRE(present == Phase::BEGUN);
  present = Phase::RUNS;
  KJ_IF_MAYBE (m, memory) {
    guest = m->guest;
    guestSetup.goOn(m->setup);
    agentListens = true;
    trace.line("guest", label, " goes on with its memory");
    return;
  }
  KJ_IF_MAYBE (after, guest.firstWord) {
    tasks.add(talk(*after));
  }
  KJ_IF_MAYBE (after, guest.agentListens) {
    tasks.add(listen(*after));
  }
  KJ_IF_MAYBE (after, guest.panics) {
    tasks.add(panic(*after));
  }
  KJ_IF_MAYBE (after, guest.reboots) {
    tasks.add(reboot(*after));
  }
}

void SimulatedMachine::stop(VmEnd end) {
  if (present == Phase::REMAINS) return;
  present = Phase::REMAINS;
  why = end;
  connections.clear();
  sessionLanes.clear();
  speaking = nullptr;
  console = nullptr;
  guestSetup.stop();
  exit->fulfill();
}

kj::Promise<void> SimulatedMachine::talk(kj::Duration after) {
  co_await later(after);
  if (present == Phase::RUNS) say(kj::str(FIRST_WORDS, "\r\n"));
}

kj::Promise<void> SimulatedMachine::listen(kj::Duration after) {
  co_await later(after);
  if (present != Phase::RUNS) co_return;
  agentListens = true;
  trace.line("guest", label, " listens");
}

kj::Promise<void> SimulatedMachine::panic(kj::Duration after) {
  co_await later(after);
  if (present != Phase::RUNS) co_return;
  trace.line("guest", label, " panics");
  say("Kernel panic - not syncing: No working init found.\r\n");
  stop(VmEnd::CRASHED);
}

kj::Promise<void> SimulatedMachine::reboot(kj::Duration after) {
  co_await later(after);
  if (present != Phase::RUNS) co_return;
  trace.line("guest", label, " reboots");
  stop(VmEnd::REBOOTED);
}

kj::Promise<void> SimulatedMachine::breakOff() {
  co_await later(fate.between(0 * kj::SECONDS, 2 * kj::SECONDS));
  if (present != Phase::RUNS) co_return;
  trace.line("guest", label, " breaks its connections off");
  connections.clear();
}

void SimulatedMachine::powerOff() {
  KJ_IF_MAYBE (after, guest.powersOff) {
    if (poweringOff) return;
    poweringOff = true;
    trace.line("guest", label, " turns itself off");
    tasks.add(obey(*after));
  } else {
    trace.line("guest", label, " ignores the order to turn itself off");
  }
}

kj::Promise<void> SimulatedMachine::obey(kj::Duration after) {
  co_await later(after);
  stop(VmEnd::POWERED_OFF);
}

void SimulatedMachine::stall(kj::Duration noRoomFor) {
  roomFrom = timer.now() + noRoomFor;
  if (stalled) return;
  stalled = true;
  halt();
  trace.line("guest", label, " stands still");
}

void SimulatedMachine::goOn() {
  if (!stalled) return;
  stalled = false;
  goOnUnlessHalted();
}

void SimulatedMachine::pause() {
  if (paused) return;
  paused = true;
  halt();
  trace.line("guest", label, " is paused");
}

void SimulatedMachine::unpause() {
  if (!paused) return;
  paused = false;
  goOnUnlessHalted();
}

void SimulatedMachine::halt() {
  if (halted != nullptr) return;
  auto paf = kj::newPromiseAndFulfiller<void>();
  halted = paf.promise.fork();
  goesOn = kj::mv(paf.fulfiller);
}

void SimulatedMachine::goOnUnlessHalted() {
  if (stalled || paused) return;
  goesOn->fulfill();
  halted = nullptr;
  trace.line("guest", label, " goes on");
}

kj::Promise<void> SimulatedMachine::untilItRuns() {
  for (;;) {
    KJ_IF_MAYBE (still, halted) {
      co_await still->addBranch();
    } else {
      co_return;
    }
  }
}

kj::Promise<void> SimulatedMachine::later(kj::Duration after) {
  co_await timer.afterDelay(after);
  co_await untilItRuns();
}

void SimulatedMachine::dropLanes(kj::FunctionParam<bool(const SessionLane&)> isMeant) {
  kj::Vector<SessionLane> kept;
  for (auto& lane : sessionLanes) {
    if (!isMeant(lane)) kept.add(kj::mv(lane));
  }
  sessionLanes = kj::mv(kept);
}

void SimulatedMachine::cutLane(uint64_t lane) {
  // Its Grant may come later.
  cutLanes.upsert(lane, [](uint64_t&, uint64_t&&) {});
  dropLanes([lane](const SessionLane& other) { return other.lane == lane; });
}

void SimulatedMachine::forEachLane(kj::FunctionParam<void(kj::StringPtr)> act) const {
  for (auto& lane : sessionLanes) {
    const bool isNew = timer.now() - lane.since < NEW_LANE;
    if (lane.until > timer.now() && !isNew) act(lane.session);
  }
}

size_t SimulatedMachine::openLanes(kj::StringPtr session) const {
  size_t count = 0;
  forEachLane([&](kj::StringPtr other) { count += other == session; });
  return count;
}

void SimulatedMachine::loseVsock() {
  vsock = false;
  sessionLanes.clear();
  connections.clear();
}

kj::Promise<kj::Own<kj::AsyncIoStream>> SimulatedMachine::dial() {
  if (!vsockIsUp()) return KJ_EXCEPTION(DISCONNECTED, "simulated: the vsock device is away");
  if (!agentListens) {
    // Some dials of a machine that boots are swallowed.
    if (fate.oneIn(4)) return kj::NEVER_DONE;
    return KJ_EXCEPTION(DISCONNECTED, "simulated: nothing listens on the guest's port");
  }
  auto pipe = kj::newTwoWayPipe();
  connections.add(greet(kj::mv(pipe.ends[1])));
  return kj::mv(pipe.ends[0]);
}

}  // namespace bothy
