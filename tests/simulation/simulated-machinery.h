#pragma once

#include <kj/map.h>
#include <kj/vector.h>

#include "loop/process-handle.h"
#include "simulation/simulated-machine.h"
#include "vm/libvirt-session.h"
#include "vm/machine-record.h"

namespace bothy {

class SimulatedHost;

// What machines are made of below the driver: processes, libvirt's domains, and files.  It survives a bothyd that is killed; the libvirt
// in that does not, and the next one finds the domains.
class SimulatedMachinery final: private kj::TaskSet::ErrorHandler {
public:
  explicit SimulatedMachinery(SimulatedHost& host);
  ~SimulatedMachinery() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(SimulatedMachinery);

  enum class Program { QEMU, VSOCK_DEVICE };
  struct Process final: public kj::Refcounted {
    Process(ProcessIdentity identity, Program program, uint32_t user, kj::StringPtr machine);

    const ProcessIdentity identity;
    const Program program;
    const uint32_t user;
    const kj::String machine;
    // Of a vsock device: it serves a guest.
    bool hasWorker = false;
    bool hasExited = false;
    kj::ForkedPromise<void> exited;
    kj::Own<kj::PromiseFulfiller<void>> exit;
  };
  struct Domain {
    int number;
    kj::Own<Process> qemu;
    // The device that QEMU is connected to, and whether the guest has it.
    kj::Maybe<kj::Own<Process>> chardev = nullptr;
    bool isPlugged = false;
    kj::Maybe<kj::TimePoint> unplugAsked = nullptr;
  };
  // In a machine's runtime directory, and of libvirt's.
  struct Files {
    bool isPrepared = false;
    bool hasSecret = false;
    kj::Maybe<ProcessIdentity> qemu = nullptr;
    bool hasLog = false;
  };

  kj::TreeMap<pid_t, kj::Own<Process>> processes;
  // Those that libvirt knows.
  kj::TreeMap<kj::String, Domain> domains;
  kj::TreeMap<kj::String, Files> files;
  kj::TreeMap<kj::String, MachineRecord> records;
  // Of these it cannot be understood.
  kj::TreeSet<kj::String> damagedRecords;
  // Machines that can be ended, and taken over by nobody: what that takes is lost.
  kj::TreeSet<kj::String> unadoptable;
  // How often libvirt was asked for all of them.
  uint64_t listings = 0;
  // What the driver has said of each machine that it has prepared files for.
  kj::TreeMap<kj::String, VmSpec> specs;

  // A bothyd's libvirt begins: it finds the domains, and tells `box` of what happens to them.
  void attach(const LibvirtEventBox& box);
  // It dies with its bothyd.
  void detach();

  kj::Own<Process> spawn(Program program, uint32_t user, kj::StringPtr machine);
  // It ends, by whatever.
  void end(Process& process);
  // bothyd ends it, or has libvirt end it.
  void kill(Process& process);
  kj::Vector<kj::Own<Process>> processesOf(uint32_t user);
  kj::Maybe<kj::Own<Process>> process(Program program, kj::StringPtr machine);

  kj::Maybe<SimulatedMachine&> machine(kj::StringPtr name);
  // A domain that libvirt has started, whose CPUs do not run.
  void begin(kj::StringPtr name, kj::Own<Process> qemu);
  void resume(kj::StringPtr name);
  void pause(kj::StringPtr name);
  void save(kj::StringPtr name);
  // One command in QEMU's JSON, and its answer.
  kj::String command(kj::StringPtr name, kj::StringPtr json);
  LibvirtDomain::Condition conditionOf(kj::StringPtr name);

  void removeRuntimeFiles(kj::StringPtr name);
  void removeLibvirtFiles(kj::StringPtr name);
  // Forgets the machine if this was the last of it.
  void settle(kj::StringPtr name);
  bool isAnythingLeft(kj::StringPtr name);
  // A process or a domain of it is there.
  bool lives(kj::StringPtr name);
  // Of all of which there is something.
  kj::TreeSet<kj::String> names();

  // What happens by itself.
  void loseDevice(kj::StringPtr name);
  void loseWorker(kj::StringPtr name);
  void stall(kj::StringPtr name, kj::Duration noRoomFor);
  void endMachine(kj::StringPtr name, VmEnd why);
  // All processes and domains at once, and what lies on a tmpfs; of a record that was just written there may be anything.  No bothyd runs.
  void losePower();

private:
  SimulatedHost& host;
  pid_t lastPid = 100;
  uint64_t lastNumber = 0;
  kj::Maybe<const LibvirtEventBox&> box;
  // Of attach() and detach().
  uint64_t epoch = 0;
  kj::TaskSet tasks;

  void loseKnowledge();
  void tell(LibvirtEvent::Kind kind, kj::StringPtr name, kj::StringPtr device = nullptr);
  kj::Promise<void> follow(kj::String name, kj::Own<SimulatedMachine> machine,
                           kj::Own<Process> qemu);
  kj::Promise<void> letGo(kj::String name, kj::TimePoint asked);
  SimulatedMachine& requireRunning(kj::StringPtr name);
  kj::String addChardev(Domain& domain, kj::StringPtr name);
  kj::String addDevice(Domain& domain, kj::StringPtr name);
  kj::String removeDevice(Domain& domain, kj::StringPtr name);
  kj::String removeChardev(Domain& domain);
  void taskFailed(kj::Exception&& exception) override;
};

// A copy of all but the disk's key.
VmSpec copyWithoutKey(const VmSpec& spec);

}  // namespace bothy
