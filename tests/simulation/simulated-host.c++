#include "simulation/simulated-host.h"

#include <kj/debug.h>
#include <kj/encoding.h>
#include <string.h>

#include "keys/key-keeper.h"
#include "machine/machine-leases.h"
#include "simulation/simulated-clock.h"
#include "workspace/workspace-state.h"

namespace bothy {
namespace {

constexpr size_t LABEL_DIGITS = 4;

}  // namespace

SimulatedHost::SimulatedHost(kj::Timer& timer, Fate& fate, Trace& trace, Judge& judge,
                             Sabotage sabotage, EventLimits limits)
    : timer(timer),
      fate(fate),
      trace(trace),
      judge(judge),
      sabotage(sabotage),
      store(judge, limits),
      machinery(*this) {}

SimulatedHost::~SimulatedHost() noexcept(false) {}

kj::String SimulatedHost::label(kj::StringPtr id) {
  KJ_IF_MAYBE (known, labels.find(id)) {
    return kj::str(*known);
  }
  auto digits = id.slice(0, kj::min(LABEL_DIGITS, id.size()));
  KJ_IF_MAYBE (row, store.row(id)) {
    auto text = kj::str(row->name, '~', digits);
    labels.insert(kj::str(id), kj::str(text));
    return text;
  }
  return kj::str('~', digits);
}

kj::Maybe<WorkspaceState> SimulatedHost::storedState(kj::StringPtr id) const {
  return store.row(id).map([&](const WorkspaceRow&) { return store.stateOf(id); });
}

bool SimulatedHost::isInUse(kj::StringPtr id) const {
  KJ_IF_MAYBE (machine, machines.find(id)) {
    return (*machine)->phase() != SimulatedMachine::Phase::REMAINS;
  }
  return false;
}

// All that must hold when a machine begins to be.
void SimulatedHost::examineStart(const VmSpec& spec) {
  auto who = label(spec.name);
  for (auto& entry : machines) {
    // Of one that has ended there are files.
    if (entry.value->phase() == SimulatedMachine::Phase::REMAINS) continue;
    if (entry.value->spec.uid == spec.uid || entry.value->spec.cid == spec.cid) {
      judge.accuse("the machine of ", who, " starts with the uid or cid of ", entry.value->label,
                   ", which is on the host");
    }
  }
  // It may be given up, and that stored, while libvirt is at it: the call cannot be taken back, and its CPUs do not run; see run().
  bool isGivenUp = false;
  KJ_IF_MAYBE (state, storedState(spec.name)) {
    isGivenUp = *state != WorkspaceState::STARTING && *state != WorkspaceState::STOPPING;
    KJ_IF_MAYBE (machine, store.machine(spec.name)) {
      if (machine->uid != spec.uid || machine->cid != spec.cid) {
        judge.accuse("the machine of ", who, " has not the uid or cid of the database");
      }
    } else {
      judge.accuse("the machine of ", who, " starts without a lease");
    }
  } else {
    judge.accuse("a machine starts for ", who, ", which is not in the database");
  }
  auto secret = kj::encodeHex(spec.secret);
  if (secrets.find(secret) != nullptr) {
    judge.accuse("the machine of ", who, " has the secret of one before it");
  } else {
    secrets.insert(kj::mv(secret));
  }
  auto opens = [&](const Volume& volume) {
    KJ_IF_MAYBE (key, spec.diskKey) {
      return key->bytes() == volume.key.asPtr();
    }
    return false;
  };
  KJ_IF_MAYBE (volume, volumes.find(spec.name)) {
    if (!volume->checked) judge.accuse("the disk of ", who, " was not checked before its start");
    if (!volume->whole) judge.accuse("the disk of ", who, " is half-made, and it starts");
    if (volume->uid != spec.uid) judge.accuse("the disk of ", who, " is not its machine's");
    if (!opens(*volume)) judge.accuse("the key that ", who, " starts with does not open its disk");
    if (keys.find(spec.name) == nullptr && !isGivenUp) {
      judge.accuse("the key of ", who, " was destroyed, and its disk is opened");
    }
    volume->checked = false;
  } else {
    judge.accuse("the machine of ", who, " starts without a disk");
  }
}

void SimulatedHost::examineLeases(const Change& change) {
  auto release = [&](kj::StringPtr id, int64_t nanos) {
    KJ_IF_MAYBE (lease, store.machine(id)) {
      auto who = label(id);
      if (machinery.lives(id)) {
        judge.accuse("the lease of ", who, " is released before its machine is gone");
      }
      KJ_IF_MAYBE (volume, volumes.find(id)) {
        if (volume->uid == lease->uid) {
          judge.accuse("the lease of ", who, " is released, and its disk is that user's");
        }
      }
      // It rests since the change was made, which may be on its way for a while.
      auto age = nanosOf(SimulatedClock(*this).now()) - nanos;
      auto since = timer.now() - kj::max(age, int64_t(0)) * kj::NANOSECONDS;
      released.upsert(lease->uid, {since, clockJumps},
                      [](Released& there, Released&& next) { there = next; });
    }
  };
  for (auto& step : change.steps) {
    KJ_IF_MAYBE (gone, step.tryGet<Change::ReleaseMachine>()) {
      release(gone->workspaceId, gone->releasedNanos);
    }
    KJ_IF_MAYBE (gone, step.tryGet<Change::RemoveWorkspace>()) {
      release(gone->id, gone->releasedNanos);
    }
    KJ_IF_MAYBE (put, step.tryGet<Change::PutMachine>()) {
      if (store.machine(put->row.workspaceId) != nullptr) continue;
      KJ_IF_MAYBE (last, released.find(put->row.uid)) {
        // What is left of a rest over a restart is told by a clock.
        if (last->clockJumps == clockJumps && timer.now() - last->since < LEASE_REST) {
          judge.accuse("user id ", put->row.uid, " is given to ", label(put->row.workspaceId),
                       " before it has rested");
        }
      }
    }
  }
}

void SimulatedHost::settle(const WorkspaceRow& row) {
  auto key = kj::heapArray<kj::byte>(KEY_BYTES);
  memset(key.begin(), 0, key.size());
  keysMade++;
  memcpy(key.begin(), &keysMade, sizeof(keysMade));
  volumes.insert(kj::str(row.id),
                 Volume{uint64_t(row.diskMib) << 20, 0, kj::heapArray<kj::byte>(key)});
  keys.insert(kj::str(row.id), kj::mv(key));
  store.put(row.clone());
}

SimulatedMachine& SimulatedHost::begin(VmSpec spec) {
  touch();
  KJ_IF_MAYBE (old, machines.find(spec.name)) {
    KJ_REQUIRE((*old)->phase() == SimulatedMachine::Phase::REMAINS,
               "simulated: a machine of this name runs");
    machines.erase(spec.name);
  }
  examineStart(spec);
  auto name = kj::str(spec.name);
  auto machine = kj::refcounted<SimulatedMachine>(
      timer, fate, trace, judge,
      *setups.findOrCreate(name,
                           [&]() {
                             return kj::TreeMap<kj::String, kj::Own<DiskSetup>>::Entry{
                                 kj::str(name), kj::heap<DiskSetup>()};
                           }),
      kj::mv(spec), label(name));
  auto& result = *machine;
  machines.insert(kj::mv(name), kj::mv(machine));
  return result;
}

SimulatedMachine& SimulatedHost::beginWithMemory(VmSpec spec) {
  auto& memory = KJ_ASSERT_NONNULL(memories.find(spec.name));
  if (memory.secret.asPtr() != spec.secret.asPtr()) {
    judge.accuse("the machine of ", label(spec.name), " goes on with the memory of another boot");
  }
  KJ_IF_MAYBE (volume, volumes.find(spec.name)) {
    if (volume->runs != memory.runs) {
      judge.accuse("the machine of ", label(spec.name),
                   " goes on with memory, and its disk has been another machine's since (S43)");
    }
  }
  // It has been that of a machine before.
  secrets.eraseMatch(kj::encodeHex(spec.secret));
  const auto saved = memory.machine;
  auto& machine = begin(kj::mv(spec));
  machine.goOnWithMemory(saved);
  return machine;
}

void SimulatedHost::run(SimulatedMachine& machine) {
  touch();
  auto& spec = machine.spec;
  KJ_IF_MAYBE (volume, volumes.find(spec.name)) ++volume->runs;
  if (machine.goesOnWithMemory()) {
    KJ_IF_MAYBE (row, store.row(spec.name)) {
      if (row->sleep.isThere()) {
        judge.accuse("the machine of ", machine.label,
                     " goes on with memory that may be used once more");
      }
    }
  }
  KJ_IF_MAYBE (state, storedState(spec.name)) {
    // What ends it may be stored meanwhile.
    bool isToEnd = *state == WorkspaceState::DELETING;
    // A start that failed for the time it took: its machine keeps the lease until all that libvirt was asked for it is done.
    const bool hasFailed = *state == WorkspaceState::FAILED || *state == WorkspaceState::EXPIRING;
    if (hasFailed && store.machine(spec.name) != nullptr) isToEnd = true;
    // Also late: it stands still again as soon as libvirt obeys.
    const bool mayWake = machine.goesOnWithMemory() &&
                         (*state == WorkspaceState::RESUMING || *state == WorkspaceState::PAUSED);
    if (*state != WorkspaceState::STARTING && *state != WorkspaceState::STOPPING && !mayWake &&
        !isToEnd) {
      judge.accuse("the machine of ", machine.label, " runs, and the database says ", *state);
    }
    KJ_IF_MAYBE (row, store.machine(spec.name)) {
      if (row->secret.asPtr() != spec.secret.asPtr() && !isToEnd) {
        judge.accuse("the machine of ", machine.label, " has not the secret of the database");
      }
    } else {
      judge.accuse("the machine of ", machine.label, " runs without a lease");
    }
  }
  machine.run();
}

void SimulatedHost::losePower() {
  touch();
  trace.line("host", "loses its power");
  runtimeDirs.clear();
  machinery.losePower();
}

void SimulatedHost::clear(kj::StringPtr nameParam) {
  touch();
  auto name = kj::str(nameParam);
  KJ_IF_MAYBE (machine, machines.find(name)) {
    auto kept = kj::addRef(**machine);
    kept->stop(VmEnd::DESTROYED);
    machines.erase(name);
    trace.line("host", "nothing is left of the machine of ", label(name));
  }
}

}  // namespace bothy
