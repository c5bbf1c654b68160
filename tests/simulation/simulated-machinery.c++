#include "simulation/simulated-machinery.h"

#include <kj/debug.h>

#include "simulation/simulated-host.h"
#include "workspace/workspace-state.h"

namespace bothy {
namespace {

using Phase = SimulatedMachine::Phase;

// As long as libvirt takes to end a QEMU whose guest is over.
constexpr kj::Duration SHORTEST_END = 0 * kj::MILLISECONDS, LONGEST_END = 100 * kj::MILLISECONDS;

}  // namespace

SimulatedMachinery::Process::Process(ProcessIdentity identity, Program program, uint32_t user,
                                     kj::StringPtr machine)
    : identity(identity), program(program), user(user), machine(kj::str(machine)), exited(nullptr) {
  auto paf = kj::newPromiseAndFulfiller<void>();
  exited = paf.promise.fork();
  exit = kj::mv(paf.fulfiller);
}

SimulatedMachinery::SimulatedMachinery(SimulatedHost& host) : host(host), tasks(*this) {}
SimulatedMachinery::~SimulatedMachinery() noexcept(false) {}

void SimulatedMachinery::taskFailed(kj::Exception&& exception) {
  host.judge.accuse("the simulated machinery failed: ", exception.getDescription());
}

void SimulatedMachinery::attach(const LibvirtEventBox& newBox) {
  ++epoch;
  loseKnowledge();
  kj::Vector<kj::String> over;
  for (auto& entry : domains) {
    const bool hasGuest = entry.value.qemu->hasExited ? false : [&]() {
      KJ_IF_MAYBE (m, machine(entry.key)) {
        return m->phase() != Phase::REMAINS;
      }
      return false;
    }();
    if (entry.value.qemu->hasExited || (!hasGuest && host.fate.oneIn(2))) {
      over.add(kj::str(entry.key));
    }
  }
  // Of these it tells nobody: its listeners come later.
  for (auto& name : over) {
    auto qemu = kj::addRef(*KJ_ASSERT_NONNULL(domains.find(name)).qemu);
    domains.erase(name);
    end(*qemu);
    settle(name);
  }
  box = newBox;
}

// What bothyd and its libvirt knew of machines, and do not find again.
void SimulatedMachinery::loseKnowledge() {
  kj::Vector<kj::String> running;
  for (auto& entry : domains) {
    if (!entry.value.qemu->hasExited) running.add(kj::str(entry.key));
  }
  for (auto& name : running) {
    auto lose = [&](Fault fault) {
      if (!host.fate.strikes(fault)) return false;
      host.trace.line("host", fault, ": ", host.label(name));
      unadoptable.upsert(kj::str(name), [](kj::String&, kj::String&&) {});
      return true;
    };
    if (unadoptable.find(name) != nullptr) continue;
    if (lose(Fault::DOMAIN_FORGOTTEN)) {
      domains.erase(name);
    } else if (lose(Fault::PID_FILE_LOST)) {
      KJ_ASSERT_NONNULL(files.find(name)).qemu = nullptr;
    } else if (lose(Fault::RECORD_DAMAGED)) {
      damagedRecords.upsert(kj::str(name), [](kj::String&, kj::String&&) {});
    }
  }
}

void SimulatedMachinery::detach() {
  ++epoch;
  box = nullptr;
}

void SimulatedMachinery::tell(LibvirtEvent::Kind kind, kj::StringPtr name, kj::StringPtr device) {
  KJ_IF_MAYBE (b, box) {
    if (host.fate.strikes(Fault::EVENT_LOST)) return;
    b->put({kind, kj::str(name), kj::str(device)});
    if (host.fate.strikes(Fault::EVENT_DOUBLED)) b->put({kind, kj::str(name), kj::str(device)});
  }
}

// ---------------------------------------------------------------------------------------------
// Processes

kj::Own<SimulatedMachinery::Process> SimulatedMachinery::spawn(Program program, uint32_t user,
                                                               kj::StringPtr machine) {
  host.touch();
  const pid_t pid = ++lastPid;
  auto process =
      kj::refcounted<Process>(ProcessIdentity{pid, uint64_t(pid) * 10}, program, user, machine);
  processes.insert(pid, kj::addRef(*process));
  return process;
}

void SimulatedMachinery::end(Process& processParam) {
  auto process = kj::addRef(processParam);
  if (process->hasExited) return;
  host.touch();
  process->hasExited = true;
  process->exit->fulfill();
  if (host.sabotage != Sabotage::MACHINE_IS_KEPT) processes.erase(process->identity.pid);
  auto& name = process->machine;
  KJ_IF_MAYBE (domain, domains.find(name)) {
    if (process->program == Program::VSOCK_DEVICE) {
      KJ_IF_MAYBE (device, domain->chardev) {
        if (device->get() == process.get()) {
          KJ_IF_MAYBE (m, machine(name)) m->loseVsock();
        }
      }
    } else if (domain->qemu.get() == process.get() && box != nullptr) {
      domains.erase(name);
      tell(LibvirtEvent::Kind::STOPPED, name);
    }
  }
  if (process->program == Program::QEMU) {
    KJ_IF_MAYBE (m, machine(name)) m->stop(VmEnd::EXITED);
  }
  settle(name);
}

void SimulatedMachinery::kill(Process& process) {
  if (process.hasExited) return;
  KJ_IF_MAYBE (m, machine(process.machine)) {
    // Only a client, a delete or a start that fails ends a machine (P41): each of them is stored before.
    if (process.program == Program::QEMU && m->phase() == Phase::RUNS &&
        isUp(host.storedState(process.machine).orDefault(WorkspaceState::STOPPED))) {
      host.judge.accuse("the machine of ", m->label,
                        " is ended, and the database says that it is up");
    }
  }
  end(process);
}

kj::Vector<kj::Own<SimulatedMachinery::Process>> SimulatedMachinery::processesOf(uint32_t user) {
  kj::Vector<kj::Own<Process>> found;
  for (auto& entry : processes) {
    if (entry.value->user == user) found.add(kj::addRef(*entry.value));
  }
  return found;
}

kj::Maybe<kj::Own<SimulatedMachinery::Process>> SimulatedMachinery::process(Program program,
                                                                            kj::StringPtr machine) {
  kj::Maybe<kj::Own<Process>> last;
  for (auto& entry : processes) {
    if (entry.value->program == program && entry.value->machine == machine) {
      last = kj::addRef(*entry.value);
    }
  }
  return last;
}

// ---------------------------------------------------------------------------------------------
// Domains

kj::Maybe<SimulatedMachine&> SimulatedMachinery::machine(kj::StringPtr name) {
  KJ_IF_MAYBE (found, host.machines.find(name)) {
    return **found;
  }
  return nullptr;
}

void SimulatedMachinery::begin(kj::StringPtr name, kj::Own<Process> qemu) {
  auto& machine = KJ_ASSERT_NONNULL(this->machine(name));
  tasks.add(follow(kj::str(name), kj::addRef(machine), kj::addRef(*qemu)));
  domains.insert(kj::str(name), Domain{int(++lastNumber), kj::mv(qemu)});
}

kj::Promise<void> SimulatedMachinery::follow(kj::String name, kj::Own<SimulatedMachine> machine,
                                             kj::Own<Process> qemu) {
  using Kind = LibvirtEvent::Kind;
  co_await machine->onExit();
  if (qemu->hasExited) co_return;
  switch (machine->end()) {
    case VmEnd::POWERED_OFF:
      tell(Kind::POWERED_OFF, name);
      break;
    case VmEnd::REBOOTED:
      tell(Kind::REBOOTED, name);
      break;
    case VmEnd::CRASHED:
      tell(Kind::CRASHED, name);
      break;
    case VmEnd::DESTROYED:
    case VmEnd::EXITED:
      break;
  }
  if (box == nullptr) co_return;
  const auto begun = epoch;
  co_await host.timer.afterDelay(host.fate.between(SHORTEST_END, LONGEST_END));
  // Otherwise QEMU waits, without its guest, for the next libvirt.
  if (epoch == begun) end(*qemu);
}

// What libvirt says of one that is gone is told to people.
SimulatedMachine& SimulatedMachinery::requireRunning(kj::StringPtr name) {
  KJ_IF_MAYBE (domain, domains.find(name)) {
    auto& m = KJ_ASSERT_NONNULL(machine(name));
    if (!domain->qemu->hasExited && m.phase() != Phase::REMAINS) return m;
  }
  kj::throwFatalException(KJ_EXCEPTION(FAILED, "simulated: there is no such domain that runs"));
}

void SimulatedMachinery::resume(kj::StringPtr name) {
  auto& m = requireRunning(name);
  if (m.phase() == Phase::BEGUN) {
    host.run(m);
    return;
  }
  m.unpause();
  if (m.isStalled()) {
    if (m.hasRoom()) {
      m.goOn();
    } else {
      tell(LibvirtEvent::Kind::STALLED, name);
    }
  }
}

void SimulatedMachinery::pause(kj::StringPtr name) {
  auto& m = requireRunning(name);
  host.touch();
  // libvirt does nothing about one whose CPUs stand still, or have not run yet.
  if (m.isStalled() || m.phase() == Phase::BEGUN) return;
  m.pause();
  // A device does not outlive a message that comes then.
  loseWorker(name);
}

LibvirtDomain::Condition SimulatedMachinery::conditionOf(kj::StringPtr name) {
  using Condition = LibvirtDomain::Condition;
  KJ_IF_MAYBE (m, machine(name)) {
    switch (m->phase()) {
      case Phase::BEGUN:
        return Condition::PAUSED;
      case Phase::RUNS:
        if (m->isPaused()) return Condition::PAUSED;
        return m->isStalled() ? Condition::STALLED : Condition::RUNS;
      case Phase::REMAINS:
        break;
    }
  }
  return Condition::ENDED;
}

// ---------------------------------------------------------------------------------------------
// What is left

bool SimulatedMachinery::lives(kj::StringPtr name) {
  for (auto& entry : processes) {
    if (entry.value->machine == name) return true;
  }
  return domains.find(name) != nullptr;
}

bool SimulatedMachinery::isAnythingLeft(kj::StringPtr name) {
  return lives(name) || files.find(name) != nullptr || records.find(name) != nullptr;
}

kj::TreeSet<kj::String> SimulatedMachinery::names() {
  kj::TreeSet<kj::String> all;
  auto add = [&](kj::StringPtr name) {
    all.upsert(kj::str(name), [](kj::String&, kj::String&&) {});
  };
  for (auto& entry : processes) add(entry.value->machine);
  for (auto& entry : domains) add(entry.key);
  for (auto& entry : files) add(entry.key);
  for (auto& entry : records) add(entry.key);
  return all;
}

void SimulatedMachinery::removeRuntimeFiles(kj::StringPtr name) {
  KJ_IF_MAYBE (found, files.find(name)) {
    found->isPrepared = found->hasSecret = false;
    if (!found->hasLog && found->qemu == nullptr) files.erase(name);
  }
  settle(name);
}

void SimulatedMachinery::removeLibvirtFiles(kj::StringPtr name) {
  KJ_IF_MAYBE (found, files.find(name)) {
    found->hasLog = false;
    found->qemu = nullptr;
    if (!found->isPrepared) files.erase(name);
  }
  settle(name);
}

void SimulatedMachinery::settle(kj::StringPtr name) {
  host.touch();
  if (isAnythingLeft(name)) return;
  specs.erase(name);
  unadoptable.eraseMatch(name);
  host.clear(name);
}

// ---------------------------------------------------------------------------------------------
// What happens by itself

void SimulatedMachinery::loseDevice(kj::StringPtr name) {
  KJ_IF_MAYBE (device, process(Program::VSOCK_DEVICE, name)) {
    host.trace.line("host", "the vsock device of ", host.label(name), " ends");
    end(**device);
  }
}

void SimulatedMachinery::loseWorker(kj::StringPtr name) {
  KJ_IF_MAYBE (device, process(Program::VSOCK_DEVICE, name)) {
    host.trace.line("host", "the vsock device of ", host.label(name), " serves no more");
    (*device)->hasWorker = false;
  }
}

void SimulatedMachinery::stall(kj::StringPtr name, kj::Duration noRoomFor) {
  KJ_IF_MAYBE (m, machine(name)) {
    m->stall(noRoomFor);
    tell(LibvirtEvent::Kind::STALLED, name);
  }
}

void SimulatedMachinery::endMachine(kj::StringPtr name, VmEnd why) {
  KJ_IF_MAYBE (m, machine(name)) {
    host.trace.line("host", "the machine of ", m->label, " ends");
    host.touch();
    if (why == VmEnd::EXITED) {
      KJ_IF_MAYBE (qemu, process(Program::QEMU, name)) end(**qemu);
    } else {
      m->stop(why);
    }
  }
}

void SimulatedMachinery::losePower() {
  KJ_REQUIRE(box == nullptr);
  ++epoch;
  domains.clear();
  unadoptable.clear();
  kj::Vector<kj::Own<Process>> all;
  for (auto& entry : processes) all.add(kj::addRef(*entry.value));
  for (auto& process : all) end(*process);
  files.clear();
  for (auto& entry : records) {
    if (host.fate.oneIn(4)) {
      damagedRecords.upsert(kj::str(entry.key), [](kj::String&, kj::String&&) {});
    }
  }
  kj::Vector<kj::String> had;
  for (auto& entry : host.machines) had.add(kj::str(entry.key));
  for (auto& name : had) settle(name);
}

VmSpec copyWithoutKey(const VmSpec& spec) {
  VmSpec copy;
  copy.name = kj::str(spec.name);
  copy.cpus = spec.cpus;
  copy.memoryBytes = spec.memoryBytes;
  copy.kernel = kj::str(spec.kernel);
  copy.initramfs = kj::str(spec.initramfs);
  copy.rootImage = kj::str(spec.rootImage);
  copy.dataDisk = kj::str(spec.dataDisk);
  copy.io = spec.io;
  copy.uid = spec.uid;
  copy.cid = spec.cid;
  copy.commandLine = kj::str(spec.commandLine);
  copy.secret = kj::heapArray<const kj::byte>(spec.secret);
  copy.runtimeDir = kj::str(spec.runtimeDir);
  copy.consoleLog = kj::str(spec.consoleLog);
  return copy;
}

}  // namespace bothy
