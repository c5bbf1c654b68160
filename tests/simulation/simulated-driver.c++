#include "simulation/simulated-driver.h"

#include <kj/debug.h>
#include <kj/vector.h>

#include "workspace/workspace-state.h"

namespace bothy {
namespace {

using Phase = SimulatedMachine::Phase;

constexpr kj::Duration INSTANT = 0 * kj::SECONDS, MOMENT = 300 * kj::MILLISECONDS;
constexpr kj::Duration ROOM_CHECK_PAUSE = 1 * kj::SECONDS;
constexpr kj::Duration SLOW = 10 * kj::SECONDS, SLOWEST = 100 * kj::SECONDS;

}  // namespace

// What this driver knows of a machine of the host.
class SimulatedDriver::Keeper final: public kj::Refcounted {
public:
  explicit Keeper(kj::StringPtr name) : name(kj::str(name)), ended(nullptr) {
    auto paf = kj::newPromiseAndFulfiller<VmEnd>();
    ended = paf.promise.fork();
    fulfiller = kj::mv(paf.fulfiller);
  }

  const kj::String name;
  bool ending = false;
  bool destroying = false;
  kj::Maybe<VmEnd> cause;
  kj::ForkedPromise<VmEnd> ended;
  kj::Own<kj::PromiseFulfiller<VmEnd>> fulfiller;
};

class SimulatedDriver::Handle final: public RunningVm {
public:
  Handle(SimulatedDriver& driver, kj::Own<Keeper> keeper)
      : driver(driver), keeper(kj::mv(keeper)) {}

  kj::Promise<kj::Own<kj::AsyncIoStream>> dial(uint32_t) override {
    KJ_IF_MAYBE (machine, driver.host.machines.find(keeper->name)) {
      if (!keeper->ending) return (*machine)->dial();
    }
    return KJ_EXCEPTION(DISCONNECTED, "simulated: the machine is gone");
  }
  kj::Promise<VmEnd> onEnd() override { return keeper->ended.addBranch(); }
  kj::Promise<void> destroy() override {
    return driver.destroy(*keeper).attach(kj::addRef(*keeper));
  }
  void renewVsock() override { driver.loseVsock(keeper->name); }
  bool isStalled() override {
    KJ_IF_MAYBE (machine, driver.host.machines.find(keeper->name)) {
      return (*machine)->isStalled();
    }
    return false;
  }
  uint32_t user() override { return 1000; }
  uint64_t qemuPid() override { return 0; }

private:
  SimulatedDriver& driver;
  kj::Own<Keeper> keeper;
};

SimulatedDriver::SimulatedDriver(SimulatedHost& host, Lifetime& lifetime,
                                 HostAbilities::Accelerator accelerator)
    : host(host),
      lifetime(lifetime),
      hostAbilities{accelerator, HostAbilities::Vsock::VHOST_USER, nullptr,
                    kj::str("the machines are not real")},
      tasks(*this) {}

SimulatedDriver::~SimulatedDriver() noexcept(false) {}

void SimulatedDriver::taskFailed(kj::Exception&& exception) {
  if (!lifetime.isOver()) {
    host.judge.accuse("the driver's keeper failed: ", exception.getDescription());
  }
}

void SimulatedDriver::mayFail(Fault fault, kj::StringPtr name) {
  lifetime.require();
  if (!host.fate.strikes(fault)) return;
  host.trace.line("driver", fault, ": ", host.label(name));
  kj::throwFatalException(KJ_EXCEPTION(FAILED, kj::str("simulated: ", fault)));
}

kj::Promise<void> SimulatedDriver::mayHang(Fault fault, kj::StringPtr name) {
  if (!host.fate.strikes(fault)) return kj::READY_NOW;
  host.trace.line("driver", fault, ": ", host.label(name));
  return kj::NEVER_DONE;
}

SimulatedDriver::Keeper& SimulatedDriver::keep(kj::StringPtr name) {
  auto keeper = kj::refcounted<Keeper>(name);
  auto& result = *keeper;
  keepers.insert(kj::str(name), kj::mv(keeper));
  return result;
}

kj::Promise<void> SimulatedDriver::untilGone(kj::StringPtr nameParam) {
  auto name = kj::str(nameParam);
  for (;;) {
    KJ_IF_MAYBE (keeper, keepers.find(name)) {
      if (!(*keeper)->ending) co_return;
      auto leaving = kj::addRef(**keeper);
      co_await leaving->ended.addBranch();
      co_await kj::evalLater([]() {});
    } else {
      co_return;
    }
  }
}

kj::Promise<kj::Own<RunningVm>> SimulatedDriver::start(VmSpec spec, kj::Maybe<TurnListener&>) {
  auto name = kj::str(spec.name);
  lifetime.step();
  host.trace.line("driver", "start ", host.label(name));
  if (host.storedState(name) != WorkspaceState::STARTING) {
    host.judge.accuse("a machine of ", host.label(name),
                      " is asked for, and the database says something else");
  }
  co_await untilGone(name);
  KJ_REQUIRE(keepers.find(name) == nullptr, "a machine of this name runs");
  co_await host.timer.afterDelay(host.fate.between(INSTANT, MOMENT));
  if (host.fate.strikes(Fault::START_SLOW)) {
    co_await host.timer.afterDelay(host.fate.between(SLOW, SLOWEST));
  }
  mayFail(Fault::START_FAILS, name);
  lifetime.step();
  lifetime.require();

  auto keeper = kj::addRef(keep(name));
  bool isStarted = false;
  KJ_DEFER(if (!isStarted) retire(*keeper));
  auto& machine = host.begin(kj::mv(spec));
  lifetime.step();
  co_await mayHang(Fault::START_HANGS, name);
  co_await host.timer.afterDelay(host.fate.between(INSTANT, MOMENT));
  kj::Maybe<kj::Exception> failure =
      kj::runCatchingExceptions([&]() { mayFail(Fault::START_FAILS_LATE, name); });
  KJ_IF_MAYBE (e, failure) {
    retire(*keeper);
    co_await keeper->ended.addBranch();
    kj::throwFatalException(kj::mv(*e));
  }
  lifetime.step();
  lifetime.require();
  host.run(machine);
  host.trace.line("driver", "started ", host.label(name));
  isStarted = true;
  lifetime.step();
  tasks.add(serve(kj::addRef(*keeper)));
  co_return kj::heap<Handle>(*this, kj::mv(keeper));
}

kj::Promise<kj::Maybe<kj::Own<RunningVm>>> SimulatedDriver::adopt(VmSpec spec) {
  auto name = kj::str(spec.name);
  lifetime.step();
  co_await untilGone(name);
  KJ_REQUIRE(keepers.find(name) == nullptr, "simulated: it was taken over before");
  if (host.machines.find(name) == nullptr) co_return nullptr;
  mayFail(Fault::ADOPT_FAILS, name);
  co_await mayHang(Fault::ADOPT_HANGS, name);
  co_await host.timer.afterDelay(host.fate.between(INSTANT, MOMENT));
  lifetime.require();
  bool runs = false;
  KJ_IF_MAYBE (machine, host.machines.find(name)) {
    runs = (*machine)->phase() == Phase::RUNS;
    // A start may have been killed before it removed the machine of an earlier one, whose agent then refuses.
    if (runs && host.storedState(name) != WorkspaceState::STARTING &&
        (*machine)->spec.secret.asPtr() != spec.secret.asPtr()) {
      host.judge.accuse("the machine of ", host.label(name),
                        " is taken over with a secret that it has not");
    }
  }
  auto keeper = kj::addRef(keep(name));
  if (runs) {
    host.trace.line("driver", "adopted ", host.label(name));
    // A device that went away with the last bothyd is replaced.
    KJ_ASSERT_NONNULL(host.machines.find(name))->restoreVsock();
    tasks.add(serve(kj::addRef(*keeper)));
    noticeStall(name);
    kj::Own<RunningVm> vm = kj::heap<Handle>(*this, kj::mv(keeper));
    co_return kj::mv(vm);
  }
  // It ended meanwhile, or its CPUs never ran.
  host.trace.line("driver", "clears what is left of ", host.label(name));
  retire(*keeper);
  co_await keeper->ended.addBranch();
  co_return nullptr;
}

kj::Promise<void> SimulatedDriver::remove(kj::StringPtr nameParam) {
  auto name = kj::str(nameParam);
  lifetime.step();
  mayFail(Fault::REMOVE_FAILS, name);
  co_await mayHang(Fault::REMOVE_HANGS, name);
  co_await untilGone(name);
  KJ_IF_MAYBE (keeper, keepers.find(name)) {
    auto kept = kj::addRef(**keeper);
    co_await destroy(*kept);
  } else if (host.machines.find(name) != nullptr) {
    auto kept = kj::addRef(keep(name));
    kept->destroying = true;
    retire(*kept);
    co_await kept->ended.addBranch();
  }
}

kj::Array<VmDriver::MachineUser> SimulatedDriver::users() {
  lifetime.require();
  kj::Vector<MachineUser> result;
  for (auto& entry : host.machines) {
    result.add(MachineUser{kj::str(entry.key), entry.value->spec.uid});
  }
  return result.releaseAsArray();
}

kj::Promise<kj::Array<kj::String>> SimulatedDriver::removeStrays(
    kj::ArrayPtr<const kj::StringPtr> knownParam) {
  lifetime.step();
  kj::TreeSet<kj::String> known;
  for (auto& name : knownParam) known.insert(kj::str(name));
  mayFail(Fault::STRAYS_KEPT, "");
  kj::Vector<kj::String> strays, removed;
  for (auto& entry : host.machines) {
    if (known.find(entry.key) == nullptr) strays.add(kj::str(entry.key));
  }
  for (auto& name : strays) {
    co_await remove(name);
    removed.add(kj::mv(name));
  }
  co_return removed.releaseAsArray();
}

kj::Promise<void> SimulatedDriver::serve(kj::Own<Keeper> keeper) {
  auto& machine = *KJ_ASSERT_NONNULL(host.machines.find(keeper->name));
  co_await machine.onExit();
  if (keeper->ending) co_return;
  if (host.fate.strikes(Fault::END_TOLD_LATE)) {
    co_await host.timer.afterDelay(host.fate.between(SLOW, SLOWEST));
  }
  retire(*keeper);
}

void SimulatedDriver::retire(Keeper& keeper) {
  if (keeper.ending || lifetime.isOver()) return;
  keeper.ending = true;
  tasks.add(dismantle(kj::addRef(keeper)));
}

kj::Promise<void> SimulatedDriver::dismantle(kj::Own<Keeper> keeper) {
  auto takes = host.fate.between(INSTANT, MOMENT);
  if (host.fate.strikes(Fault::DISMANTLE_SLOW)) takes = host.fate.between(SLOW, SLOWEST);
  auto state = host.storedState(keeper->name);
  KJ_IF_MAYBE (machine, host.machines.find(keeper->name)) {
    // Only a client, a delete or a start that fails ends a machine (P41): each of them is stored before.
    if ((*machine)->phase() == Phase::RUNS && state == WorkspaceState::RUNNING) {
      host.judge.accuse("the machine of ", host.label(keeper->name),
                        " is ended, and the database says that it runs");
    }
    (*machine)->stop(VmEnd::DESTROYED);
    keeper->cause = (*machine)->end();
    // What told why it ended may be lost on the way.
    if (host.fate.strikes(Fault::EVENT_LOST)) keeper->cause = VmEnd::EXITED;
  }
  co_await host.timer.afterDelay(takes);
  if (lifetime.isOver()) co_return;
  host.clear(keeper->name);
  keeper->fulfiller->fulfill(keeper->destroying ? VmEnd::DESTROYED
                                                : keeper->cause.orDefault(VmEnd::EXITED));
  keepers.erase(keeper->name);
}

kj::Promise<void> SimulatedDriver::destroy(Keeper& keeper) {
  auto kept = kj::addRef(keeper);
  lifetime.step();
  if (!kept->ending) {
    mayFail(Fault::DESTROY_FAILS, kept->name);
    co_await mayHang(Fault::DESTROY_HANGS, kept->name);
    kept->destroying = true;
    retire(*kept);
  }
  co_await kept->ended.addBranch();
}

void SimulatedDriver::tell(Fault miss, kj::FunctionParam<void(Events&)> event) {
  KJ_IF_MAYBE (l, listener) {
    if (lifetime.isOver() || host.fate.strikes(miss)) return;
    event(*l);
    if (host.fate.strikes(Fault::EVENT_DOUBLED)) event(*l);
  }
}

void SimulatedDriver::loseVsock(kj::StringPtr nameParam) {
  auto name = kj::str(nameParam);
  KJ_IF_MAYBE (machine, host.machines.find(name)) {
    if (!(*machine)->vsockIsUp() || keepers.find(name) == nullptr) return;
    host.trace.line("driver", "vsock lost: ", host.label(name));
    (*machine)->loseVsock();
    tell(Fault::EVENT_LOST, [&](Events& events) { events.vsockLost(name); });
    tasks.add(restoreVsock(kj::mv(name)));
  }
}

kj::Promise<void> SimulatedDriver::restoreVsock(kj::String name) {
  co_await host.timer.afterDelay(host.fate.between(INSTANT, SLOW));
  KJ_IF_MAYBE (machine, host.machines.find(name)) {
    (*machine)->restoreVsock();
    host.trace.line("driver", "vsock restored: ", host.label(name));
    tell(Fault::EVENT_LOST, [&](Events& events) { events.vsockRestored(name); });
  }
}

void SimulatedDriver::noticeStall(kj::StringPtr name) {
  KJ_IF_MAYBE (keeper, keepers.find(name)) {
    KJ_IF_MAYBE (machine, host.machines.find(name)) {
      if ((*machine)->isStalled()) tasks.add(endStall(kj::addRef(**keeper)));
    }
  }
}

kj::Promise<void> SimulatedDriver::endStall(kj::Own<Keeper> keeper) {
  co_await kj::evalLater([]() {});
  tell(Fault::EVENT_LOST, [&](Events& events) { events.diskFull(keeper->name); });
  for (;;) {
    co_await host.timer.afterDelay(ROOM_CHECK_PAUSE);
    if (keeper->ending || lifetime.isOver()) co_return;
    KJ_IF_MAYBE (machine, host.machines.find(keeper->name)) {
      if (!(*machine)->hasRoom()) continue;
      (*machine)->goOn();
      tell(Fault::EVENT_LOST, [&](Events& events) { events.diskFreed(keeper->name); });
    }
    co_return;
  }
}

}  // namespace bothy
