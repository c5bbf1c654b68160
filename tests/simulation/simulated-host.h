#pragma once

#include <kj/map.h>

#include "capacity/host-capacity.h"
#include "simulation/simulated-machine.h"
#include "simulation/simulated-machinery.h"
#include "simulation/simulated-store.h"

namespace bothy {

// What a world does wrong on purpose, so that a test sees the judge at work.
enum class Sabotage {
  NONE,
  VOLUME_IS_KEPT,      // a destroyed disk stays
  KEY_IS_KEPT,         // a destroyed key stays
  MACHINE_IS_KEPT,     // a removed machine goes on
  ROW_IS_LOST,         // a stored workspace is gone
  GROWTH_IS_FORGOTTEN  // a disk that was made larger is not
};

// What of a host survives a bothyd that is killed: machines, disks, keys, files and the database.
class SimulatedHost final {
public:
  static constexpr EventLimits EVENT_LIMITS{
      .perWorkspace = 40, .age = 365 * kj::DAYS, .total = 100};

  SimulatedHost(kj::Timer& timer, Fate& fate, Trace& trace, Judge& judge, Sabotage sabotage,
                EventLimits limits = EVENT_LIMITS);
  ~SimulatedHost() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(SimulatedHost);

  struct Volume {
    uint64_t bytes;
    uint32_t uid;
    kj::Array<kj::byte> key;
    // A creation or a destruction of it was killed halfway.
    bool whole = true;
    // Since its last machine.
    bool checked = false;
    // Of which sleep it is, and how often a machine has run with it.
    uint64_t seal = 0;
    uint64_t runs = 0;
  };

  // A machine's memory in a file.
  struct Memory {
    kj::Array<kj::byte> key;
    // libvirt has written all of it.
    bool hasAll = false;
    uint64_t seal = 0;
    // Of the machine that was saved, and its disk's `runs` then.
    kj::Array<kj::byte> secret = nullptr;
    uint64_t runs = 0;
    SimulatedMachine::Memory machine = {};
    // Somebody has put it back.
    bool isOld = false;
  };

  // A console's log: who has it open writes into it also when it was removed.
  struct Console final: public kj::Refcounted {
    kj::Vector<char> said;
  };

  // One of what bothyd has as a descriptor in a real host, as long as it has it.
  class Held final {
  public:
    explicit Held(size_t& count) : count(count) { ++count; }
    ~Held() { --count; }
    KJ_DISALLOW_COPY_AND_MOVE(Held);

  private:
    size_t& count;
  };

  kj::Timer& timer;
  Fate& fate;
  Trace& trace;
  Judge& judge;
  const Sabotage sabotage;
  // Handles of processes and connections to machines, those that are being made among them.
  size_t heldProcesses = 0, heldConnections = 0;

  // That machines may have: few, so that they come round, and now and then are not enough.
  uint32_t uids = 4;
  // What bothyd may give to machines and disks: in some worlds less than is asked for.
  CapacityPolicy capacity;
  SimulatedStore store;
  // Until nothing of them is left.
  kj::TreeMap<kj::String, kj::Own<SimulatedMachine>> machines;
  SimulatedMachinery machinery;
  kj::TreeMap<kj::String, Volume> volumes;
  // On disks, by workspace; of those that are gone too.
  kj::TreeMap<kj::String, kj::Own<DiskSetup>> setups;
  kj::TreeMap<kj::String, Memory> memories;
  kj::TreeMap<kj::String, kj::Array<kj::byte>> keys;
  kj::TreeMap<kj::String, kj::Own<Console>> consoles;
  kj::TreeSet<kj::String> runtimeDirs;
  // Keys that were ever made, all of them.
  uint64_t keysMade = 0;
  // What the wall clock is ahead by.
  kj::Duration clockAhead = 0 * kj::SECONDS;
  uint64_t clockJumps = 0;
  // Machines that ran, and the database said so, when the present bothyd began.
  kj::TreeSet<kj::String> running;
  // Those that stood still, and were paused as the database has it.
  kj::TreeSet<kj::String> paused;

  // Something of it changed: worth a look.
  void touch() { changes++; }
  uint64_t changeCount() const { return changes; }

  // "NAME~1234", from the name and the id of a workspace.
  kj::String label(kj::StringPtr id);

  // The state in the database.
  kj::Maybe<WorkspaceState> storedState(kj::StringPtr id) const;
  // Whether a machine may use the disk of `id` at this moment.
  bool isInUse(kj::StringPtr id) const;

  // Of a change that is on its way into the database: whom it gives which lease.
  void examineLeases(const Change& change);

  // A workspace of an earlier bothyd that rests, with its disk and its key.
  void settle(const WorkspaceRow& row);

  SimulatedMachine& begin(VmSpec spec);
  // One that goes on with memory of its workspace.
  SimulatedMachine& beginWithMemory(VmSpec spec);
  // simulated-memories.c++: that of a sleep before, of a workspace that is hibernated.
  void putMemoryBack(kj::StringPtr id);
  // Its CPUs run from now on.
  void run(SimulatedMachine& machine);
  // The host goes off and on again: what was acknowledged is on its disk, and nothing else is there any more.  No bothyd runs.
  void losePower();
  // Nothing of it is left.
  void clear(kj::StringPtr name);

private:
  uint64_t changes = 0;
  kj::TreeMap<kj::String, kj::String> labels;
  // Of all machines that there ever were.
  kj::TreeSet<kj::String> secrets;
  // Since when a user id is nobody's, by the time that no clock jumps in, and whose it was.
  struct Released {
    kj::TimePoint since;
    uint64_t clockJumps;
  };
  kj::TreeMap<uint32_t, Released> released;

  void examineStart(const VmSpec& spec);
};

}  // namespace bothy
