#pragma once

#include "simulation/clients.h"
#include "simulation/event-watcher.h"
#include "simulation/invariants.h"
#include "simulation/simulation.h"

namespace bothy {

// Turns the loop, lets time pass, kills bothyd and starts it again, and looks after each step.
class WorldKeeper final: private kj::TaskSet::ErrorHandler {
public:
  WorldKeeper(uint64_t seed, const SimulationOptions& options);
  ~WorldKeeper() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(WorldKeeper);

  SimulationResult run();

private:
  kj::EventLoop loop;
  kj::WaitScope scope;
  kj::TimerImpl timer;
  Fate fate;
  Trace trace;
  Judge judge;
  SimulatedHost host;
  Ledger ledger;
  Invariants invariants;
  HostAbilities::Accelerator accelerator;
  HostAbilities::Vsock vsock;
  Tally tally;

  kj::Maybe<kj::Own<Clients>> clients;
  kj::Vector<kj::Own<EventWatcher>> watchers;
  kj::Maybe<kj::Own<Incarnation>> bothyd;
  // Turns until it is killed; 0: not now.
  uint64_t turnsToLive = 0;
  bool calm = false;
  uint64_t seenChanges = 0;
  const SimulationOptions options;
  kj::TaskSet tasks;

  // What happens to the world by itself.
  kj::Promise<void> strike();
  void strikeOnce();
  // At one of the next so many.
  void planKill(uint64_t mostEffects, uint64_t mostTurns);
  void mayLosePower();
  kj::Promise<void> startLater(kj::Duration after);

  void begin();
  // Those that are there before the world begins.
  void settleCrowd();
  void limitCapacity();
  void bury(kj::StringPtr how);
  bool isCondemned() const { return judge.verdict() != nullptr; }
  // Some turns; false if nothing moves without time.
  bool turn();
  void look();
  // So much time, or less if nothing is to come any more.
  void pass(kj::Duration limit);
  void live();
  void rest();
  void restart();
  void startAll();
  void deleteAll();
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
