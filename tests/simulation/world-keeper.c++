#include "simulation/world-keeper.h"

#include <kj/debug.h>
#include <kj/vector.h>

#include "workspace/workspace-id.h"

namespace bothy {
namespace {

constexpr uint32_t CLIENTS = 4;
constexpr uint64_t LEAST_OPERATIONS = 20, MOST_OPERATIONS = 120;
constexpr kj::Duration LONGEST_STRIKE_PAUSE = 6 * kj::SECONDS;
// Beyond the deadline of a start.
constexpr kj::Duration LONGEST_DISK_FULL = 200 * kj::SECONDS;
constexpr kj::Duration LONGEST_ABSENCE = 20 * kj::SECONDS;
// The machines that may run, and how many changes are looked at together, in a world with a crowd.
constexpr uint32_t CROWD_UIDS = 150;
constexpr uint64_t CROWD_LOOK_CHANGES = 64;
// As many as there may be workspaces, and those that rest.
constexpr uint32_t UIDS_FOR_ALL = 20;
// One that reads at once, and one that hardly does.
constexpr kj::Duration LONGEST_LOOK_PAUSES[Ledger::WATCHERS] = {0 * kj::SECONDS, 5 * kj::MINUTES};
// More than every deadline and every pause between tries, one after the other.
constexpr kj::Duration REST = 2 * kj::HOURS;
// P28, where nothing hinders it.
constexpr kj::Duration DELETE_LIMIT = 60 * kj::SECONDS;
// The loop is looked at after so many turns at most.
constexpr uint64_t TURNS = 4;
// A kill that is planned comes so soon.
constexpr uint64_t MOST_EFFECTS_TO_LIVE = 40, MOST_TURNS_TO_LIVE = 80;
// A recovery has fewer effects, and more turns; most end well, or hardly a machine would ever run.
constexpr uint64_t RECOVERIES_A_KILL = 4;
constexpr uint64_t MOST_RECOVERY_EFFECTS = 12, MOST_RECOVERY_TURNS = 120;
// A loop that never comes to rest at one moment is a fault.
constexpr uint64_t MOST_TURNS = 200000;

}  // namespace

WorldKeeper::WorldKeeper(uint64_t seed, const SimulationOptions& optionsParam)
    : scope(loop),
      timer(kj::origin<kj::TimePoint>()),
      fate(seed),
      trace(timer, optionsParam.keep),
      host(timer, fate, trace, judge, optionsParam.sabotage),
      invariants(host, ledger),
      accelerator(fate.oneIn(2) ? HostAbilities::Accelerator::KVM
                                : HostAbilities::Accelerator::TCG),
      vsock(fate.oneIn(4) ? HostAbilities::Vsock::KERNEL : HostAbilities::Vsock::VHOST_USER),
      options(optionsParam),
      tasks(*this) {
  if (options.crowd > 0) settleCrowd();
  if (options.isCalm) {
    fate.calm();
    return;
  }
  if (fate.oneIn(4)) limitCapacity();
  ledger.budget = LEAST_OPERATIONS + fate.below(MOST_OPERATIONS - LEAST_OPERATIONS);
}

// Room for two machines or three, and for most disks.
void WorldKeeper::limitCapacity() {
  auto& capacity = host.capacity;
  const auto machines = 2 + fate.below(2);
  if (fate.oneIn(2)) {
    capacity.memoryMib = machines * SpecDefaults().memoryMib + fate.below(SpecDefaults().memoryMib);
  } else {
    capacity.cpus = machines;
  }
  capacity.diskMib = 4 * SpecDefaults().diskMib + fate.below(4 * SpecDefaults().diskMib);
  capacity.freeDiskMib = 1;
}

void WorldKeeper::settleCrowd() {
  host.uids = CROWD_UIDS;
  for (size_t i = 0; i < options.crowd; i++) {
    WorkspaceRow row;
    row.id = kj::str(WorkspaceId::generate(fate).text());
    row.name = kj::str("c", i);
    row.image = kj::str("base");
    row.cpus = 1;
    row.memoryMib = 512;
    row.diskMib = 128;
    host.settle(row);
    ledger.created(row);
  }
}

WorldKeeper::~WorldKeeper() noexcept(false) {
  bothyd = nullptr;
}

void WorldKeeper::taskFailed(kj::Exception&& exception) {
  judge.accuse("the simulation itself failed: ", exception.getDescription());
}

void WorldKeeper::begin() {
  turnsToLive = 0;
  auto& life = *bothyd.emplace(kj::heap<Incarnation>(host, accelerator, vsock));
  auto& served = *clients.emplace(kj::heap<Clients>(host, ledger, life));
  for (uint32_t i = 1; i <= CLIENTS; i++) life.add(served.live(i));
  if (options.crowd > 0 && !calm) life.add(served.startMany(options.burst));
  for (size_t i = 0; i < Ledger::WATCHERS; i++) {
    life.add(watchers.add(kj::heap<EventWatcher>(host, ledger, life, i, LONGEST_LOOK_PAUSES[i]))
                 ->watch());
  }
  if (fate.oneIn(RECOVERIES_A_KILL)) planKill(MOST_RECOVERY_EFFECTS, MOST_RECOVERY_TURNS);
}

void WorldKeeper::bury(kj::StringPtr how) {
  trace.line("bothyd", how);
  for (auto& entry : host.store.workspaces())
    tally.killedIn[static_cast<size_t>(host.store.stateOf(entry.key))]++;
  bothyd = nullptr;
  if (host.heldProcesses + host.heldConnections > 0) {
    judge.accuse("bothyd has ended, and ", host.heldProcesses, " processes and ",
                 host.heldConnections, " connections are still held");
  }
  clients = nullptr;
  watchers.clear();
  turnsToLive = 0;
}

kj::Promise<void> WorldKeeper::startLater(kj::Duration after) {
  co_await timer.afterDelay(after);
  begin();
}

// ---------------------------------------------------------------------------------------------
// What happens by itself

void WorldKeeper::planKill(uint64_t mostEffects, uint64_t mostTurns) {
  KJ_IF_MAYBE (life, bothyd) {
    if (!fate.strikes(Fault::KILL)) return;
    // At an effect, which may be in the middle of a turn, or at a turn, which is an await.
    if (fate.oneIn(2)) {
      (*life)->lifetime().endAfter(1 + fate.below(mostEffects));
    } else {
      turnsToLive = 1 + fate.below(mostTurns);
    }
  }
}

void WorldKeeper::mayLosePower() {
  if (fate.strikes(Fault::POWER_CUT)) host.losePower();
}

void WorldKeeper::strikeOnce() {
  kj::Vector<SimulatedMachine*> running;
  for (auto& entry : host.machines) {
    if (entry.value->phase() == SimulatedMachine::Phase::RUNS) running.add(entry.value);
  }
  if (running.size() > 0) {
    auto& machine = *running[fate.below(running.size())];
    auto name = kj::str(machine.spec.name);
    auto& machinery = host.machinery;
    if (fate.strikes(Fault::VSOCK_LOST)) machinery.loseDevice(name);
    if (fate.strikes(Fault::VSOCK_WORKER_LOST)) machinery.loseWorker(name);
    if (fate.strikes(Fault::HOST_DISK_FULL) && !machine.isStalled()) {
      machinery.stall(name, fate.between(0 * kj::SECONDS, LONGEST_DISK_FULL));
    }
    if (fate.strikes(Fault::MACHINE_ENDS)) {
      constexpr VmEnd ENDS[] = {VmEnd::POWERED_OFF, VmEnd::REBOOTED, VmEnd::CRASHED, VmEnd::EXITED};
      machinery.endMachine(name, ENDS[fate.below(kj::size(ENDS))]);
    }
  }
  if (fate.strikes(Fault::STORE_TAKEN_OVER)) {
    trace.line("host", "another bothyd takes over the database");
    host.store.takeEpoch();
  }
  if (bothyd == nullptr) mayLosePower();
  if (fate.strikes(Fault::CLOCK_JUMPS)) {
    host.clockJumps++;
    host.clockAhead = fate.between(-1 * kj::DAYS, 1 * kj::DAYS);
    trace.line("host", "the clock jumps");
  }
  planKill(MOST_EFFECTS_TO_LIVE, MOST_TURNS_TO_LIVE);
}

kj::Promise<void> WorldKeeper::strike() {
  while (!calm) {
    co_await timer.afterDelay(fate.between(0 * kj::SECONDS, LONGEST_STRIKE_PAUSE));
    if (!calm) strikeOnce();
  }
}

// ---------------------------------------------------------------------------------------------
// Time

bool WorldKeeper::turn() {
  bool counted = turnsToLive > 0;
  auto turned = scope.poll(counted ? 1 : TURNS);
  if (turned == 0) return false;
  bool killed = counted && --turnsToLive == 0;
  KJ_IF_MAYBE (life, bothyd) {
    bool over = (*life)->lifetime().isOver();
    if (over || killed) {
      tally.killedRecovering += (*life)->isRecovering();
      bury(over ? "killed at an effect"_kj : "killed at a turn"_kj);
      mayLosePower();
      tasks.add(startLater(fate.between(0 * kj::SECONDS, LONGEST_ABSENCE)));
    } else if ((*life)->hasGivenUp()) {
      bury("ended");
      tasks.add(startLater(fate.between(0 * kj::SECONDS, LONGEST_ABSENCE)));
    }
  }
  return turned > 0;
}

void WorldKeeper::look() {
  const auto unseen = host.changeCount() - seenChanges;
  if (unseen == 0 || (options.crowd > 0 && unseen < CROWD_LOOK_CHANGES)) return;
  seenChanges = host.changeCount();
  invariants.check(bothyd.map([](kj::Own<Incarnation>& life) -> Incarnation& { return *life; }));
}

void WorldKeeper::pass(kj::Duration limit) {
  auto until = timer.now() + limit;
  for (;;) {
    uint64_t turns = 0;
    while (!isCondemned() && turn()) {
      look();
      if (++turns > MOST_TURNS) judge.accuse("bothyd does not come to rest: it turns in a circle");
    }
    look();
    if (isCondemned()) return;
    KJ_IF_MAYBE (next, timer.nextEvent()) {
      if (*next <= until) {
        timer.advanceTo(*next);
        continue;
      }
      timer.advanceTo(until);
    }
    return;
  }
}

// ---------------------------------------------------------------------------------------------
// The story

void WorldKeeper::live() {
  begin();
  if (!options.isCalm) tasks.add(strike());
  while (!isCondemned() && ledger.budget > 0) pass(1 * kj::SECONDS);
  if (!isCondemned()) pass(fate.between(0 * kj::SECONDS, LONGEST_ABSENCE));
}

void WorldKeeper::rest() {
  trace.line("world", "no more faults");
  calm = true;
  fate.calm();
  pass(REST);
  KJ_IF_MAYBE (life, bothyd) {
    if (!isCondemned()) invariants.checkAtRest(**life);
  } else {
    judge.accuse("no bothyd runs at rest");
  }
}

// What rests stays as it is over a restart (P41).
void WorldKeeper::restart() {
  auto before = host.store.state().workspaces;
  bury("ends");
  // Each may have a machine from here on.
  host.uids = kj::max(host.uids, UIDS_FOR_ALL);
  host.capacity = CapacityPolicy();
  begin();
  pass(REST);
  if (isCondemned()) return;
  invariants.checkAtRest(*KJ_ASSERT_NONNULL(bothyd));
  invariants.checkCleared();
  auto after = host.store.state().workspaces;
  bool same = before.size() == after.size();
  for (size_t i = 0; same && i < before.size(); i++) {
    same = before[i].id == after[i].id && before[i].rest == after[i].rest;
  }
  if (!same) judge.accuse("a restart changes workspaces that rest");
}

// Whatever a workspace has been through: it can be started (P30).
void WorldKeeper::startAll() {
  KJ_ASSERT_NONNULL(bothyd)->add(KJ_ASSERT_NONNULL(clients)->startAll());
  pass(REST);
  if (isCondemned()) return;
  for (auto& workspace : KJ_ASSERT_NONNULL(bothyd)->list()) {
    // A machine that nobody can take over stays as it is until it is stopped.
    const bool isOutOfReach = workspace.state == WorkspaceState::PAUSED &&
                              host.machinery.unadoptable.find(workspace.id) != nullptr;
    if (workspace.state != WorkspaceState::RUNNING && !isOutOfReach) {
      judge.accuse("workspace ", host.label(workspace.id),
                   " is started, nothing hinders it, and it is ", workspace.state, ": ",
                   KJ_ASSERT_NONNULL(host.store.row(workspace.id)).failure);
    }
  }
  if (!isCondemned()) invariants.checkAtRest(*KJ_ASSERT_NONNULL(bothyd));
}

void WorldKeeper::deleteAll() {
  KJ_ASSERT_NONNULL(bothyd)->add(KJ_ASSERT_NONNULL(clients)->deleteAll());
  pass(DELETE_LIMIT);
  if (isCondemned()) return;
  if (ledger.waiting > 0) judge.accuse("a delete takes more than 60 s, and nothing hinders it");
  invariants.checkEmpty();
  pass(REST);
  if (timer.nextEvent() != nullptr) judge.accuse("there is no workspace, and a timer still runs");
  if (KJ_ASSERT_NONNULL(bothyd)->manager().objects() > 0) {
    judge.accuse("there is no workspace, and there are objects of some");
  }
  if (!KJ_ASSERT_NONNULL(bothyd)->manager().isIdle() ||
      !KJ_ASSERT_NONNULL(bothyd)->sessions().isIdle() ||
      !KJ_ASSERT_NONNULL(bothyd)->users().isIdle()) {
    judge.accuse("there is no workspace, and bothyd still waits for something");
  }
  if (!isCondemned()) invariants.checkDriver(*KJ_ASSERT_NONNULL(bothyd), 0, 0);
  if (host.heldProcesses + host.heldConnections > 0) {
    judge.accuse("there is no workspace, and bothyd holds ", host.heldProcesses, " processes and ",
                 host.heldConnections, " connections");
  }
}

SimulationResult WorldKeeper::run() {
  live();
  if (!isCondemned()) rest();
  if (!isCondemned()) restart();
  // A crowd's disks are too many for the time that a delete has.
  if (!isCondemned() && options.crowd == 0) startAll();
  if (!isCondemned() && options.crowd == 0) deleteAll();

  tally.seeds = 1;
  tally.operations = ledger.answered;
  tally.started = ledger.started;
  tally.notStarted = ledger.notStarted;
  tally.virtualSeconds = (timer.now() - kj::origin<kj::TimePoint>()) / kj::SECONDS;
  for (size_t i = 0; i < FAULT_COUNT; i++) tally.struck[i] = fate.struck(static_cast<Fault>(i));
  return {judge.verdict().map([](kj::StringPtr text) { return kj::str(text); }), trace.text(),
          trace.digest(), tally};
}

}  // namespace bothy
