#include "support/fake-vm-driver.h"

#include <kj/debug.h>
#include <kj/refcount.h>
#include <kj/vector.h>

#include <algorithm>

namespace bothy {

class FakeVmDriver::Machine final: public kj::Refcounted {
public:
  Machine(FakeVmDriver& host, VmSpec spec, uint64_t pid)
      : host(host), spec(kj::mv(spec)), pid(pid), ended(nullptr) {
    auto paf = kj::newPromiseAndFulfiller<VmEnd>();
    ended = paf.promise.fork();
    end = kj::mv(paf.fulfiller);
  }

  FakeVmDriver& host;
  VmSpec spec;
  const uint64_t pid;
  bool vsockLost = false;
  bool isStalled = false;
  bool isPaused = false;
  bool isEnding = false;
  kj::ForkedPromise<VmEnd> ended;
  kj::Own<kj::PromiseFulfiller<VmEnd>> end;
};

class FakeVmDriver::Handle final: public RunningVm {
public:
  explicit Handle(kj::Own<Machine> machine) : machine(kj::mv(machine)) {}

  kj::Promise<kj::Own<kj::AsyncIoStream>> dial(uint32_t port) override {
    if (machine->vsockLost || machine->isPaused || !machine->end->isWaiting()) {
      return KJ_EXCEPTION(DISCONNECTED, "nothing answers on the guest's vsock port", port);
    }
    return machine->host.dial(machine->spec.name, port);
  }

  kj::Promise<VmEnd> onEnd() override {
    if (machine->host.watchesToRefuse > 0) {
      --machine->host.watchesToRefuse;
      KJ_FAIL_REQUIRE("the machine is not watched");
    }
    return machine->ended.addBranch();
  }

  kj::Promise<void> destroy() override {
    machine->host.mayFailToRemove();
    if (machine->end->isWaiting()) machine->host.end(machine->spec.name, VmEnd::DESTROYED);
    return machine->ended.addBranch().ignoreResult();
  }

  bool isEnding() override {
    ++machine->host.endsAsked;
    return machine->isEnding || !machine->end->isWaiting();
  }
  void renewVsock() override { machine->host.renew(machine->spec.name); }
  kj::Promise<void> pause() override { return machine->host.change(*machine, true); }
  kj::Promise<void> resume() override { return machine->host.change(*machine, false); }
  bool isPaused() override { return machine->isPaused; }
  bool keepsStreams() override { return machine->host.keepsStreams; }
  kj::Promise<void> save(MemoryFile file) override {
    auto& host = machine->host;
    ++host.saves;
    if (host.savesHang) return kj::NEVER_DONE;
    if (host.savesToFail > 0) {
      --host.savesToFail;
      return KJ_EXCEPTION(FAILED, "the machine is not saved");
    }
    KJ_REQUIRE(machine->isPaused, "a machine is saved whose CPUs may run");
    if (!machine->end->isWaiting()) return KJ_EXCEPTION(FAILED, "the machine ends");
    host.keepMemory(machine->spec.name, kj::mv(file.path));
    return kj::READY_NOW;
  }
  kj::Promise<void> limitIo(IoLimits limits) override {
    if (machine->host.refusesIoLimits) return KJ_EXCEPTION(FAILED, "QEMU does not obey");
    if (machine->host.ioLimitsHang) return kj::NEVER_DONE;
    machine->spec.io = limits;
    return kj::READY_NOW;
  }
  bool isStalled() override { return machine->isStalled; }
  uint32_t user() override { return machine->spec.uid; }
  kj::Array<kj::byte> consoleEnd() override {
    return kj::heapArray(machine->host.console.asBytes());
  }
  bool isConsoleKnown() override { return machine->host.isConsoleKnown; }
  uint64_t qemuPid() override { return machine->pid; }

private:
  kj::Own<Machine> machine;
};

FakeVmDriver::FakeVmDriver(Dial dial)
    : dial(kj::mv(dial)),
      hostAbilities{HostAbilities::Accelerator::TCG, HostAbilities::Vsock::VHOST_USER,
                    kj::str("the machines are not real"), kj::str("the machines are not real"),
                    kj::str("a fake")} {}

FakeVmDriver::~FakeVmDriver() noexcept(false) {}

void FakeVmDriver::failStarts(kj::Exception reason, uint32_t count) {
  failure = kj::mv(reason);
  failuresLeft = count;
}

void FakeVmDriver::holdStarts() {
  auto paf = kj::newPromiseAndFulfiller<void>();
  gate = paf.promise.fork();
  gateKeeper = kj::mv(paf.fulfiller);
}

void FakeVmDriver::releaseStarts() {
  startsBefore = nullptr;
  gateKeeper->fulfill();
}

FakeVmDriver::Machine& FakeVmDriver::find(kj::StringPtr name) {
  return *KJ_REQUIRE_NONNULL(machines.find(name), "no such machine runs", name);
}

void FakeVmDriver::end(kj::StringPtr name, VmEnd why) {
  auto machine = kj::addRef(find(name));
  machines.erase(machine->spec.name);
  machine->end->fulfill(kj::mv(why));
}

void FakeVmDriver::beginEnd(kj::StringPtr name) {
  find(name).isEnding = true;
}

kj::Promise<void> FakeVmDriver::change(Machine& machine, bool isPaused) {
  ++(isPaused ? pauses : resumes);
  if (changesHang) return kj::NEVER_DONE;
  if (changesToFail > 0) {
    --changesToFail;
    return KJ_EXCEPTION(FAILED, "the machine does not obey");
  }
  if (!machine.end->isWaiting()) return KJ_EXCEPTION(FAILED, "the machine ends");
  machine.isPaused = isPaused;
  return kj::READY_NOW;
}

void FakeVmDriver::leave(kj::StringPtr name, bool isPaused) {
  find(name).isPaused = isPaused;
}

void FakeVmDriver::keepMemory(kj::StringPtr nameParam, kj::String path) {
  auto name = kj::str(nameParam);
  memories.upsert(
      kj::mv(path), kj::heapArray<kj::byte>(find(name).spec.secret),
      [](kj::Array<kj::byte>& there, kj::Array<kj::byte>&& next) { there = kj::mv(next); });
  end(name, VmEnd::EXITED);
}

bool FakeVmDriver::isPaused(kj::StringPtr name) {
  return find(name).isPaused;
}

void FakeVmDriver::loseVsock(kj::StringPtr name) {
  find(name).vsockLost = true;
  KJ_IF_MAYBE (events, listener) {
    events->vsockLost(name);
  }
}

void FakeVmDriver::restoreVsock(kj::StringPtr name) {
  find(name).vsockLost = false;
  KJ_IF_MAYBE (events, listener) {
    events->vsockRestored(name);
  }
}

void FakeVmDriver::renew(kj::StringPtr name) {
  ++renewals;
  if (!renewsAtOnce) return;
  kj::evalLater([this, name = kj::str(name)]() {
    if (!isRunning(name)) return;
    loseVsock(name);
    restoreVsock(name);
  }).detach([](kj::Exception&&) {});
}

void FakeVmDriver::giveUpVsock(kj::StringPtr name) {
  KJ_REQUIRE(find(name).vsockLost);
  KJ_IF_MAYBE (events, listener) {
    events->vsockNotRestored(name);
  }
}

void FakeVmDriver::stall(kj::StringPtr name) {
  find(name).isStalled = true;
  KJ_IF_MAYBE (events, listener) {
    events->diskFull(name);
  }
}

void FakeVmDriver::goOn(kj::StringPtr name) {
  find(name).isStalled = false;
  KJ_IF_MAYBE (events, listener) {
    events->diskFreed(name);
  }
}

bool FakeVmDriver::isRunning(kj::StringPtr name) {
  return machines.find(name) != nullptr;
}

kj::Array<kj::String> FakeVmDriver::running() {
  kj::Vector<const Machine*> found;
  for (auto& entry : machines) found.add(entry.value.get());
  std::sort(found.begin(), found.end(), [](auto a, auto b) { return a->pid < b->pid; });
  return KJ_MAP(machine, found) {
    return kj::str(machine->spec.name);
  };
}

const VmSpec& FakeVmDriver::spec(kj::StringPtr name) {
  return find(name).spec;
}

void FakeVmDriver::setEvents(Events& events) {
  listener = events;
}

kj::Promise<kj::Own<RunningVm>> FakeVmDriver::start(VmSpec spec,
                                                    kj::Maybe<TurnListener&> listener) {
  ++starts;
  KJ_IF_MAYBE (held, gate) {
    const bool isQueued = startsBefore != nullptr;
    KJ_IF_MAYBE (before, startsBefore) {
      KJ_IF_MAYBE (l, listener) l->waits(*before);
    }
    co_await held->addBranch();
    if (isQueued) {
      KJ_IF_MAYBE (l, listener) l->begins();
    }
  }
  if (failuresLeft > 0) {
    --failuresLeft;
    kj::throwFatalException(kj::cp(KJ_ASSERT_NONNULL(failure)));
  }
  KJ_REQUIRE(!isRunning(spec.name), "a machine of this name runs", spec.name);
  auto name = kj::str(spec.name);
  auto machine = kj::refcounted<Machine>(*this, kj::mv(spec), nextPid++);
  machines.insert(kj::mv(name), kj::addRef(*machine));
  co_return kj::heap<Handle>(kj::mv(machine));
}

kj::Promise<kj::Own<RunningVm>> FakeVmDriver::restore(VmSpec spec, MemoryFile file,
                                                      kj::Maybe<TurnListener&>) {
  ++restores;
  if (restoresHang) return kj::NEVER_DONE;
  KJ_IF_MAYBE (e, restoreFailure) {
    auto failure = kj::mv(*e);
    restoreFailure = nullptr;
    return kj::mv(failure);
  }
  auto& secret = KJ_REQUIRE_NONNULL(memories.find(file.path), "there is no such memory", file.path);
  const bool isOfBoot = secret.asPtr() == spec.secret.asPtr();
  KJ_REQUIRE(isOfBoot, "the memory is of another boot", spec.name);
  KJ_REQUIRE(!isRunning(spec.name), "a machine of this name runs", spec.name);
  auto name = kj::str(spec.name);
  auto machine = kj::refcounted<Machine>(*this, kj::mv(spec), nextPid++);
  machine->isPaused = true;
  machines.insert(kj::mv(name), kj::addRef(*machine));
  return kj::Own<RunningVm>(kj::heap<Handle>(kj::mv(machine)));
}

kj::Promise<kj::Maybe<kj::Own<RunningVm>>> FakeVmDriver::adopt(VmSpec spec) {
  if (adoptionsHang) co_await kj::Promise<void>(kj::NEVER_DONE);
  KJ_IF_MAYBE (machine, machines.find(spec.name)) {
    KJ_IF_MAYBE (e, adoptionFailure) kj::throwFatalException(kj::cp(*e));
    if (spec.found != VmSpec::Cpus::EITHER) {
      (*machine)->isPaused = spec.found == VmSpec::Cpus::STAND_STILL;
    }
    if (!refusesIoLimits) (*machine)->spec.io = spec.io;
    kj::Own<RunningVm> vm = kj::heap<Handle>(kj::addRef(**machine));
    co_return kj::mv(vm);
  }
  co_return nullptr;
}

void FakeVmDriver::mayFailToRemove() {
  if (removalsToFail == 0) return;
  --removalsToFail;
  kj::throwFatalException(KJ_EXCEPTION(FAILED, "the machine does not obey"));
}

kj::Promise<void> FakeVmDriver::remove(kj::StringPtr name, kj::Maybe<uint32_t> user) {
  removedUser = user;
  mayFailToRemove();
  if (name == unremovable && isRunning(name)) {
    if (removalsHang) return kj::NEVER_DONE;
    kj::throwFatalException(KJ_EXCEPTION(FAILED, "this machine does not obey"));
  }
  if (isRunning(name)) end(name, VmEnd::DESTROYED);
  return kj::READY_NOW;
}

kj::Promise<kj::Array<VmDriver::MachineUser>> FakeVmDriver::users() {
  if (listingsHang) co_await kj::Promise<void>(kj::NEVER_DONE);
  if (listingsToFail > 0) {
    --listingsToFail;
    kj::throwFatalException(KJ_EXCEPTION(FAILED, "the records do not obey"));
  }
  auto names = running();
  co_return KJ_MAP(name, names) {
    kj::Maybe<uint32_t> uid;
    if (!recordsAreDamaged) uid = find(name).spec.uid;
    return MachineUser{kj::mv(name), uid};
  };
}

kj::Promise<kj::Array<VmConsumption>> FakeVmDriver::consumption() {
  auto names = running();
  return KJ_MAP(name, names) {
    const auto pid = find(name).pid;
    return VmConsumption{kj::mv(name), pid, cpuNanos};
  };
}

}  // namespace bothy
