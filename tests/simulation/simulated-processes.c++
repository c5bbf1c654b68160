#include "simulation/simulated-processes.h"

#include <signal.h>

#include <kj/debug.h>

namespace bothy {
namespace {

using Process = SimulatedMachinery::Process;
using Program = SimulatedMachinery::Program;

constexpr kj::Duration INSTANT = 0 * kj::SECONDS, MOMENT = 100 * kj::MILLISECONDS;
constexpr kj::Duration SLOW = 3 * kj::SECONDS, SLOWEST = 19 * kj::SECONDS;

// "/run/NAME/..."
kj::String machineAt(kj::StringPtr path) {
  constexpr kj::StringPtr RUN = "/run/"_kj;
  KJ_REQUIRE(path.startsWith(RUN), "simulated: no such path", path);
  auto rest = path.slice(RUN.size());
  return kj::heapString(rest.slice(0, KJ_REQUIRE_NONNULL(rest.findFirst('/'))));
}

}  // namespace

class SimulatedProcesses::Handle final: public ProcessHandle {
public:
  Handle(SimulatedHost& host, Lifetime& lifetime, kj::Own<Process> process)
      : host(host), lifetime(lifetime), process(kj::mv(process)), held(host.heldProcesses) {}
  KJ_DISALLOW_COPY_AND_MOVE(Handle);

  const ProcessIdentity& identity() const override { return process->identity; }
  kj::Maybe<uint32_t> user() const override {
    if (process->hasExited) return nullptr;
    return process->user;
  }
  kj::Promise<void> onExit() override { return process->exited.addBranch(); }
  bool hasExited() const override { return process->hasExited; }
  void signal(int) const override {
    // Destructors send it too.
    if (lifetime.isOver() || process->hasExited) return;
    host.trace.line("driver", "kills a process of ", host.label(process->machine));
    auto killed = kj::addRef(const_cast<Process&>(*process));
    host.machinery.kill(*killed);
    lifetime.step();
  }

private:
  SimulatedHost& host;
  Lifetime& lifetime;
  kj::Own<Process> process;
  SimulatedHost::Held held;
};

kj::Own<MachineProcesses::ProcessorTime> SimulatedProcesses::processorTime(const ProcessIdentity&) {
  // Nothing is computed in this world.
  class None final: public ProcessorTime {
    kj::Maybe<kj::Duration> taken() const override { return nullptr; }
  };
  return kj::heap<None>();
}

kj::Promise<kj::Own<kj::AsyncIoStream>> SimulatedProcesses::hold(
    kj::Promise<kj::Own<kj::AsyncIoStream>> opening) {
  auto held = kj::heap<SimulatedHost::Held>(host.heldConnections);
  auto stream = co_await opening;
  co_return stream.attach(kj::mv(held));
}

void SimulatedProcesses::mayRefuse(kj::StringPtr what) {
  lifetime.require();
  if (!host.fate.strikes(Fault::PROCESSES_REFUSED)) return;
  host.trace.line("host", what, ": refused");
  kj::throwFatalException(KJ_EXCEPTION(FAILED, "simulated: there are no descriptors left"));
}

kj::Maybe<kj::Own<ProcessHandle>> SimulatedProcesses::open(pid_t pid) {
  mayRefuse("open of a process");
  KJ_IF_MAYBE (found, host.machinery.processes.find(pid)) {
    kj::Own<ProcessHandle> handle = kj::heap<Handle>(host, lifetime, kj::addRef(**found));
    return kj::mv(handle);
  }
  return nullptr;
}

kj::Maybe<kj::Own<ProcessHandle>> SimulatedProcesses::open(const ProcessIdentity& identity) {
  KJ_IF_MAYBE (handle, open(identity.pid)) {
    if ((*handle)->identity() == identity) return kj::mv(*handle);
  }
  return nullptr;
}

void SimulatedProcesses::signalAll(uint32_t user, int) {
  mayRefuse("signal to processes");
  apply(lifetime, [&]() {
    for (auto& process : host.machinery.processesOf(user)) host.machinery.kill(*process);
  });
}

kj::Promise<void> SimulatedProcesses::killAll(uint32_t user) {
  return kj::evalNow([&]() -> kj::Promise<void> {
    mayRefuse("kill of processes");
    apply(lifetime, [&]() {
      for (auto& process : host.machinery.processesOf(user)) host.machinery.kill(*process);
    });
    return host.timer.afterDelay(host.fate.between(INSTANT, MOMENT));
  });
}

bool SimulatedProcesses::isAnyRunning(uint32_t user, kj::StringPtr) {
  mayRefuse("look at processes");
  for (auto& process : host.machinery.processesOf(user)) {
    if (process->program == Program::QEMU) return true;
  }
  return false;
}

kj::Promise<kj::Own<ProcessHandle>> SimulatedProcesses::startVsockDevice(VsockDeviceSpec spec) {
  auto name = machineAt(spec.socket);
  mayRefuse("start of a vsock device");
  kj::Own<Process> process;
  apply(lifetime, [&]() {
    host.trace.line("driver", "starts a vsock device of ", host.label(name));
    process = host.machinery.spawn(Program::VSOCK_DEVICE, spec.user, name);
  });
  lifetime.require();
  kj::Own<ProcessHandle> handle = kj::heap<Handle>(host, lifetime, kj::addRef(*process));
  bool isReady = false;
  KJ_DEFER(if (!isReady) handle->signal(SIGKILL));
  if (host.fate.strikes(Fault::DEVICE_FAILS)) {
    kj::throwFatalException(KJ_EXCEPTION(FAILED, "simulated: the vsock device does not start"));
  }
  co_await host.timer.afterDelay(host.fate.strikes(Fault::DEVICE_SLOW)
                                     ? host.fate.between(SLOW, SLOWEST)
                                     : host.fate.between(INSTANT, MOMENT));
  KJ_REQUIRE(!process->hasExited, "simulated: the vsock device ended at its start");
  isReady = true;
  co_return kj::mv(handle);
}

bool SimulatedProcesses::hasVsockWorker(pid_t device) {
  KJ_IF_MAYBE (found, host.machinery.processes.find(device)) {
    return (*found)->hasWorker;
  }
  return false;
}

kj::Promise<kj::Own<kj::AsyncIoStream>> SimulatedProcesses::dialVsockDevice(kj::String socket,
                                                                            uint32_t user,
                                                                            uint32_t) {
  lifetime.require();
  auto name = machineAt(socket);
  KJ_IF_MAYBE (device, host.machinery.process(Program::VSOCK_DEVICE, name)) {
    if ((*device)->user != user) {
      host.judge.accuse("the machine of ", host.label(name), " is dialled by another's device");
    }
    if (!(*device)->hasWorker) return hold(kj::NEVER_DONE);
    KJ_IF_MAYBE (machine, host.machinery.machine(name)) {
      return hold(machine->dial());
    }
  }
  return KJ_EXCEPTION(DISCONNECTED, "simulated: the machine's vsock device cannot be reached");
}

kj::Promise<kj::Own<kj::AsyncIoStream>> SimulatedProcesses::dialKernelVsock(uint32_t cid,
                                                                            uint32_t) {
  lifetime.require();
  for (auto& entry : host.machines) {
    if (entry.value->spec.cid == cid) return hold(entry.value->dial());
  }
  return KJ_EXCEPTION(DISCONNECTED, "simulated: no machine has this address");
}

class SimulatedProcesses::Export final: public MemoryExport {
public:
  explicit Export(kj::String file) : file(kj::mv(file)) {}
  kj::StringPtr path() override { return file; }
  kj::Promise<void> close() override { return kj::READY_NOW; }

private:
  kj::String file;
};

kj::Promise<kj::Own<MemoryExport>> SimulatedProcesses::exportMemory(MemoryExportSpec spec) {
  mayRefuse("memory");
  auto file = kj::mv(spec.file);
  co_await host.timer.afterDelay(host.fate.between(INSTANT, MOMENT));
  lifetime.require();
  co_return kj::heap<Export>(kj::mv(file));
}

kj::Promise<kj::Own<kj::AsyncIoStream>> SimulatedProcesses::openConsole(kj::StringPtr socket,
                                                                        uint32_t) {
  auto name = machineAt(socket);
  mayRefuse("console");
  if (host.machinery.process(Program::QEMU, name) != nullptr) {
    KJ_IF_MAYBE (machine, host.machinery.machine(name)) {
      return hold(machine->openConsole());
    }
  }
  return KJ_EXCEPTION(FAILED, "simulated: nobody listens at the console's socket");
}

}  // namespace bothy
