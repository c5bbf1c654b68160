#include "simulation/simulated-driver.h"

#include <kj/debug.h>

#include "simulation/simulated-libvirt.h"
#include "simulation/simulated-processes.h"
#include "simulation/simulated-storage.h"
#include "vm/machine-host.h"
#include "workspace/workspace-state.h"

namespace bothy {

SimulatedDriver::SimulatedDriver(SimulatedHost& host, Lifetime& lifetime,
                                 HostAbilities::Accelerator accelerator, HostAbilities::Vsock vsock)
    : host(host),
      lifetime(lifetime),
      hostAbilities{accelerator, vsock, nullptr, kj::str("the machines are not real"),
                    kj::str("simulated")} {}

SimulatedDriver::~SimulatedDriver() noexcept(false) {
  opened = nullptr;
  host.machinery.detach();
}

kj::Promise<void> SimulatedDriver::open() {
  auto settings = kj::heap<LibvirtDriverSettings>();
  settings->stateDir = kj::str("/state");
  settings->runtimeDir = kj::str("/run/driver");
  auto events = kj::atomicRefcounted<LibvirtEventBox>();
  host.machinery.attach(*events);
  auto libvirt = co_await LibvirtConnection::open(
      host.timer, {.place = {},
                   .limits = settings->limits,
                   .kvm = KvmNode::HOSTS,
                   .session = kj::Own<const LibvirtSession>(
                       kj::atomicRefcounted<SimulatedLibvirt>(host, lifetime)),
                   .events = kj::mv(events),
                   .workers = kj::Own<WorkerSource>(kj::heap<SimulatedWorkers>(host, lifetime))});
  lifetime.require();
  opened =
      newLibvirtDriver(MachineHost(host.timer, kj::mv(settings), kj::mv(hostAbilities),
                                   kj::heap<SimulatedProcesses>(host, lifetime),
                                   kj::heap<SimulatedStorage>(host, lifetime), kj::mv(libvirt)));
}

kj::Promise<kj::Own<RunningVm>> SimulatedDriver::start(VmSpec spec,
                                                       kj::Maybe<TurnListener&> listener) {
  auto name = kj::str(spec.name);
  lifetime.step();
  host.trace.line("driver", "start ", host.label(name));
  if (host.storedState(name) != WorkspaceState::STARTING) {
    host.judge.accuse("a machine of ", host.label(name),
                      " is asked for, and the database says something else");
  }
  auto vm = co_await driver().start(kj::mv(spec), listener);
  lifetime.step();
  host.trace.line("driver", "started ", host.label(name));
  co_return kj::mv(vm);
}

kj::Promise<kj::Own<RunningVm>> SimulatedDriver::restore(VmSpec spec, MemoryFile file,
                                                         kj::Maybe<TurnListener&> listener) {
  auto name = kj::str(spec.name);
  lifetime.step();
  host.trace.line("driver", "restore ", host.label(name));
  if (host.storedState(name) != WorkspaceState::RESUMING) {
    host.judge.accuse("a machine of ", host.label(name),
                      " is to go on with memory, and the database says something else");
  }
  auto vm = co_await driver().restore(kj::mv(spec), kj::mv(file), listener);
  lifetime.step();
  host.trace.line("driver", "restored ", host.label(name));
  co_return kj::mv(vm);
}

kj::Promise<kj::Maybe<kj::Own<RunningVm>>> SimulatedDriver::adopt(VmSpec spec) {
  auto name = kj::str(spec.name);
  lifetime.step();
  auto secret = kj::heapArray<kj::byte>(spec.secret);
  auto found = co_await driver().adopt(kj::mv(spec));
  lifetime.require();
  host.trace.line("driver", found == nullptr ? "finds no machine of "_kj : "adopted "_kj,
                  host.label(name));
  if (found == nullptr) co_return nullptr;
  KJ_IF_MAYBE (machine, host.machinery.machine(name)) {
    // A start may have been killed before it removed the machine of an earlier one, whose agent then refuses.
    if (host.storedState(name) != WorkspaceState::STARTING &&
        machine->spec.secret.asPtr() != secret.asPtr()) {
      host.judge.accuse("the machine of ", host.label(name),
                        " is taken over with a secret that it has not");
    }
  }
  co_return kj::mv(found);
}

kj::Promise<void> SimulatedDriver::remove(kj::StringPtr nameParam, kj::Maybe<uint32_t> user) {
  auto name = kj::str(nameParam);
  lifetime.step();
  host.trace.line("driver", "remove ", host.label(name));
  co_await driver().remove(name, user);
  lifetime.require();
  for (auto& process : host.machinery.processes) {
    if (process.value->machine == name) {
      host.judge.accuse("the machine of ", host.label(name),
                        " was removed, and a process of it lives");
    }
  }
}

kj::Promise<kj::Array<VmDriver::MachineUser>> SimulatedDriver::users() {
  auto users = co_await driver().users();
  lifetime.require();
  co_return kj::mv(users);
}

}  // namespace bothy
