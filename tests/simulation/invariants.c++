#include "simulation/invariants.h"

#include <string.h>

#include <kj/map.h>

namespace bothy {
namespace {

// Of a machine that runs bothyd holds its QEMU and its vsock device; its console, its control lane and the lane in stock.
constexpr size_t MOST_PROCESSES = 2, MOST_CONNECTIONS = 3;

// Streams of its guest outlast its pause.
bool isPausedWithStreams(Workspace& workspace) {
  auto machine = workspace.machineAtHand();
  return workspace.state() == WorkspaceState::PAUSED && machine != nullptr &&
         KJ_ASSERT_NONNULL(machine)->keepsStreams();
}

}  // namespace

void Invariants::check(kj::Maybe<Incarnation&> bothyd) {
  checkPromises();
  checkSessions();
  checkCapacity();
  KJ_IF_MAYBE (b, bothyd) {
    if (b->serves()) checkList(*b, false);
  }
}

// What was acknowledged stays so.
void Invariants::checkPromises() {
  for (auto& entry : ledger.all()) {
    auto& id = entry.key;
    auto& facts = entry.value;
    auto row = host.store.row(id);
    if (facts.created && !facts.deleteAsked && row == nullptr) {
      host.judge.accuse("workspace ", host.label(id), " was acknowledged, and is gone");
    }
    if (facts.deleted && (row != nullptr || host.machinery.lives(id) ||
                          host.keys.find(id) != nullptr || host.volumes.find(id) != nullptr)) {
      host.judge.accuse("workspace ", host.label(id), " was deleted, and is back");
    }
    if (facts.isOff && host.isInUse(id)) {
      host.judge.accuse("workspace ", host.label(id),
                        " was stopped, and nobody started it: it runs");
    }
    KJ_IF_MAYBE (r, row) {
      if (facts.created && r->diskMib < facts.diskMib &&
          host.store.stateOf(id) != WorkspaceState::RESIZING) {
        host.judge.accuse("the disk of ", host.label(id), " was made ", facts.diskMib,
                          " MiB large, and the database says ", r->diskMib);
      }
    }
  }
}

// Who was told that a session is over finds no lane of it open, whoever granted that.
void Invariants::checkSessions() {
  for (auto& session : ledger.sessions) {
    if (session->revoked) {
      KJ_IF_MAYBE (row, host.store.sessions().find(session->id)) {
        if (row->revokedNanos == 0) {
          host.judge.accuse("session ", session->id,
                            " was revoked, and the database says it was not");
        }
      }
    }
    if (!session->cut) continue;
    KJ_IF_MAYBE (machine, host.machines.find(session->workspaceId)) {
      if ((*machine)->openLanes(kj::str("session ", session->id)) > 0) {
        host.judge.accuse("session ", session->id, " is over, and a lane of it is open");
      }
    }
  }
}

// Nothing of those that have ended is left, and those that live are stored.
void Invariants::checkSessionsAtRest(Incarnation& bothyd) {
  auto& sessions = bothyd.sessions();
  if (sessions.size() != host.store.sessions().size()) {
    host.judge.accuse("bothyd has ", sessions.size(), " sessions, and the database ",
                      host.store.sessions().size());
  }
  for (auto& entry : host.store.sessions()) {
    KJ_IF_MAYBE (session, sessions.list().find(entry.key)) {
      auto workspace = bothyd.manager().byId(entry.value.workspaceId);
      const bool isReached = workspace != nullptr &&
                             KJ_ASSERT_NONNULL(workspace)->unreachable().size() == 0 &&
                             KJ_ASSERT_NONNULL(workspace)->row().damage.size() == 0 &&
                             !isPausedWithStreams(*KJ_ASSERT_NONNULL(workspace));
      if ((*session)->isClosed() && isReached) {
        host.judge.accuse("session ", entry.key,
                          " has ended, and its row is there: ", (*session)->hindrance());
      }
    } else {
      host.judge.accuse("the database has session ", entry.key, ", and bothyd has it not");
    }
  }
  for (auto& machine : host.machines) {
    machine.value->forEachLane([&](kj::StringPtr lane) {
      const auto id = lane.slice(kj::StringPtr("session ").size());
      if (sessions.list().find(id) == nullptr) {
        host.judge.accuse("a lane of session ", id, " is open, and there is no such session");
      }
    });
  }
}

void Invariants::checkList(Incarnation& bothyd, bool isAtRest) {
  auto workspaces = bothyd.list();
  for (auto& workspace : workspaces) {
    if (host.store.row(workspace.id) == nullptr && workspace.state != WorkspaceState::DELETING) {
      host.judge.accuse("the list has ", host.label(workspace.id), ", and the database has it not");
    }
  }
  kj::HashSet<kj::StringPtr> ids;
  for (auto& workspace : workspaces) ids.insert(workspace.id);
  for (auto& entry : host.store.workspaces()) {
    const bool listed = ids.contains(entry.key);
    // It may be on its way into the list.
    bool isNew = host.store.stateOf(entry.key) == WorkspaceState::CREATING && !isAtRest;
    if (!listed && !isNew) {
      host.judge.accuse("the database has ", host.label(entry.key), ", and the list has it not");
    }
  }
}

void Invariants::checkAtRest(Incarnation& bothyd) {
  if (!bothyd.serves()) host.judge.accuse("bothyd does not serve, and nothing hinders it");
  if (ledger.waiting > 0) {
    host.judge.accuse(ledger.waiting, " calls of clients are never answered");
  }
  for (auto heard : ledger.heard) {
    if (heard != host.store.lastEvent()) {
      host.judge.accuse("a watcher has heard of events up to ", heard, ", and the last is ",
                        host.store.lastEvent());
    }
  }
  if (!bothyd.manager().isIdle()) {
    host.judge.accuse("nothing happens any more, and bothyd still waits for something");
  }
  if (host.judge.verdict() != nullptr) return;
  // What counts is what the rows say, no more and no less (P28).
  const auto counted = bothyd.manager().capacity().used(), sum = promised();
  if (!(counted == sum)) {
    host.judge.accuse("nothing happens, and bothyd counts ", counted.memoryMib, " MiB, ",
                      counted.cpus, " processors, disks of ", counted.diskMib,
                      " MiB; the database has ", sum.memoryMib, ", ", sum.cpus, ", ", sum.diskMib);
  }
  check(bothyd);
  checkList(bothyd, true);
  checkMachines(bothyd);
  checkDisks();
  checkAwake();
  checkFiles();
  checkSessionsAtRest(bothyd);
}

void Invariants::checkDriver(Incarnation& bothyd, size_t running, size_t unreachable) {
  const auto counts = bothyd.counts();
  const auto taken = running - unreachable;
  auto isOff = [&](size_t count, size_t wanted) {
    // Now and then it tries to take over what cannot be.
    return count < wanted || count > wanted + unreachable;
  };
  if (isOff(counts.machines, taken) || isOff(counts.objects, taken) ||
      isOff(counts.keepers, taken)) {
    host.judge.accuse(taken, " machines run, nothing happens, and the driver has ", counts.machines,
                      ", as ", counts.objects, " objects, and follows ", counts.keepers);
  }
  if (counts.dials > 0) {
    host.judge.accuse("nothing happens, and the driver dials ", counts.dials, " times");
  }
  if (isOff(counts.calls, 0) || isOff(counts.listings, 0)) {
    host.judge.accuse("nothing happens, and the driver has ", counts.calls, " calls under way and ",
                      counts.listings, " lists of libvirt's domains");
  }
  if (!counts.isLibvirtIdle && unreachable == 0) {
    host.judge.accuse("nothing happens, and a call of libvirt is under way or remembered");
  }
}

void Invariants::checkMachines(Incarnation& bothyd) {
  size_t running = 0, unreachable = 0;
  for (auto& workspace : bothyd.list()) {
    auto id = workspace.id;
    auto label = host.label(id);
    auto state = workspace.state;
    switch (state) {
      case WorkspaceState::STOPPED:
      case WorkspaceState::FAILED:
      case WorkspaceState::EXPIRED:
        if (host.machinery.lives(id)) {
          host.judge.accuse("workspace ", label, " is ", state,
                            ", and a machine of it is on the host");
        }
        if (host.store.machine(id) != nullptr) {
          host.judge.accuse("workspace ", label, " is ", state, ", and keeps its lease");
        }
        break;
      case WorkspaceState::RUNNING:
        ++running;
        // Its guest may have ended where nobody can tell any more.
        if (host.machinery.unadoptable.find(id) != nullptr && host.machinery.lives(id)) {
          unreachable += workspace.unreachable.size() > 0;
          break;
        }
        if (workspace.unreachable.size() > 0) {
          host.judge.accuse("the machine of ", label, " is unreachable, and nothing hinders it");
        }
        KJ_IF_MAYBE (machine, host.machines.find(id)) {
          if ((*machine)->vsockIsUp() && !(*machine)->isPaused()) {
            checkSetup(workspace, **machine);
            break;
          }
        }
        host.judge.accuse("workspace ", label,
                          " is running, and its machine is not, or is reached by nobody");
        break;
      case WorkspaceState::PAUSED:
        ++running;
        if (host.machinery.unadoptable.find(id) != nullptr && host.machinery.lives(id)) {
          unreachable += workspace.unreachable.size() > 0;
          break;
        }
        if (workspace.unreachable.size() > 0) {
          host.judge.accuse("the machine of ", label, " is unreachable, and nothing hinders it");
        }
        KJ_IF_MAYBE (machine, host.machines.find(id)) {
          const auto phase = (*machine)->phase();
          const bool hasRun = phase == SimulatedMachine::Phase::RUNS;
          if (hasRun ? (*machine)->standsStill() : (*machine)->mayYetRunWithMemory()) break;
        }
        host.judge.accuse("workspace ", label, " is paused, and its machine runs or is gone");
        break;
      case WorkspaceState::HIBERNATED:
        checkSleep(id);
        break;
      case WorkspaceState::HIBERNATING:
      case WorkspaceState::CREATING:
      case WorkspaceState::STARTING:
      case WorkspaceState::STOPPING:
      case WorkspaceState::DELETING:
      case WorkspaceState::RESIZING:
      case WorkspaceState::PAUSING:
      case WorkspaceState::RESUMING:
      case WorkspaceState::EXPIRING:
        host.judge.accuse("workspace ", label, " is stuck in state ", state);
        break;
    }
    if (host.storedState(id) != state) {
      host.judge.accuse("workspace ", label, " is ", state,
                        ", and the database says something else");
    }
  }
  if (bothyd.manager().objects() != running) {
    host.judge.accuse(running, " workspaces run, nothing happens, and there are objects of ",
                      bothyd.manager().objects());
  }
  if (host.heldProcesses > MOST_PROCESSES * running ||
      host.heldConnections > MOST_CONNECTIONS * running) {
    host.judge.accuse(running, " workspaces run, nothing happens, and bothyd holds ",
                      host.heldProcesses, " processes and ", host.heldConnections, " connections");
  }
  checkDriver(bothyd, running, unreachable);
  for (auto& name : host.machinery.names()) {
    if (host.store.row(name) == nullptr && host.machinery.lives(name)) {
      host.judge.accuse("a machine is left over: ", host.label(name));
    }
  }
  size_t held = 0;
  for (auto& entry : host.store.machines()) held += entry.value.workspaceId.size() > 0;
  if (bothyd.manager().leasesInUse() != held) {
    host.judge.accuse(bothyd.manager().leasesInUse(), " leases are in use, and the database has ",
                      held);
  }
}

void Invariants::checkCleared() {
  for (auto& name : host.machinery.names()) {
    // In the directory of one that stopped there may be files, until it starts or is deleted.
    auto& machinery = host.machinery;
    const bool hasRecord = machinery.records.find(name) != nullptr;
    if (host.store.row(name) == nullptr || (hasRecord && !isUp(host.store.stateOf(name)))) {
      host.judge.accuse("files of a machine are left over: ", host.label(name));
    }
  }
}

// A start that failed may have made it larger already.
static bool isSize(uint64_t bytes, const WorkspaceRow& row) {
  return bytes == uint64_t{row.diskMib} << 20 ||
         (row.nextDiskMib > 0 && bytes == uint64_t{row.nextDiskMib} << 20);
}

void Invariants::checkDisks() {
  for (auto& entry : host.store.workspaces()) {
    auto& row = entry.value;
    auto label = host.label(row.id);
    if (row.rest == Rest::EXPIRED) {
      if (host.volumes.find(row.id) != nullptr || host.keys.find(row.id) != nullptr ||
          host.memories.find(row.id) != nullptr) {
        host.judge.accuse(label, " has expired, and its disk, its memory or its key is there");
      }
      continue;
    }
    KJ_IF_MAYBE (volume, host.volumes.find(row.id)) {
      const MachineRow root;
      if (!volume->whole || volume->uid != host.store.machine(row.id).orDefault(root).uid ||
          !isSize(volume->bytes, row)) {
        host.judge.accuse("the disk of ", label, " has ", volume->bytes >> 20,
                          " MiB, and the database says ", row.diskMib, ", or it is not its user's");
      }
      KJ_IF_MAYBE (key, host.keys.find(row.id)) {
        if (key->asPtr() != volume->key.asPtr()) {
          host.judge.accuse("the key of ", label, " does not open its disk");
        }
      } else {
        host.judge.accuse("the key of ", label, " is lost");
      }
    } else {
      host.judge.accuse("the disk of ", label, " is lost");
    }
    KJ_IF_MAYBE (facts, ledger.all().find(row.id)) {
      bool asked = !facts->created || row.diskMib == facts->diskMib;
      for (auto size : facts->openSizes) asked = asked || size == row.diskMib;
      if (!asked) {
        host.judge.accuse("the disk of ", label, " has ", row.diskMib,
                          " MiB: a client was told that it was not made so large");
      }
    }
  }
  for (auto& entry : host.volumes) {
    if (host.store.row(entry.key) == nullptr) {
      host.judge.accuse("a disk is left over: ", host.label(entry.key));
    }
  }
  for (auto& entry : host.keys) {
    if (host.store.row(entry.key) == nullptr) {
      host.judge.accuse("a key is left over: ", host.label(entry.key));
    }
  }
}

void Invariants::checkFiles() {
  for (auto& id : host.runtimeDirs) {
    if (host.store.row(id) == nullptr) {
      host.judge.accuse("a runtime directory is left over: ", host.label(id));
    }
  }
  for (auto& entry : host.consoles) {
    if (host.store.row(entry.key) == nullptr) {
      host.judge.accuse("a console log is left over: ", host.label(entry.key));
    }
    // It has what one boot said, whoever recorded it, and each word once.
    auto said = kj::heapString(entry.value->said);
    auto first = strstr(said.cStr(), FIRST_WORDS.cStr());
    if (first != nullptr && strstr(first + 1, FIRST_WORDS.cStr()) != nullptr) {
      host.judge.accuse("the console log of ", host.label(entry.key), " has words twice: ", said);
    }
  }
}

void Invariants::checkEmpty() {
  const auto left = host.machinery.names().size() + host.volumes.size() + host.memories.size() +
                    host.keys.size() + host.runtimeDirs.size() + host.consoles.size();
  if (host.store.workspaces().size() + host.machines.size() + left > 0) {
    host.judge.accuse("everything was deleted, and the host is not empty");
  }
  for (auto& entry : host.store.machines()) {
    if (entry.value.workspaceId.size() > 0) {
      host.judge.accuse("everything was deleted, and the lease ", entry.key, " is still given");
    }
  }
}

}  // namespace bothy
