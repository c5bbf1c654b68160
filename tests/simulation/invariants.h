#pragma once

#include "simulation/incarnation.h"
#include "simulation/ledger.h"

namespace bothy {

// What must hold between the host, the database, what clients were told, and the list of bothyd.
class Invariants final {
public:
  Invariants(SimulatedHost& host, Ledger& ledger) : host(host), ledger(ledger) {}
  KJ_DISALLOW_COPY_AND_MOVE(Invariants);

  // After each step, whatever is under way; nullptr: no bothyd runs.
  void check(kj::Maybe<Incarnation&> bothyd);
  // When all faults are over and time has passed: nothing is under way, and nothing left over.
  void checkAtRest(Incarnation& bothyd);
  // When bothyd has begun since all faults were over, and whatever was left over before is cleared away.
  void checkCleared();
  // When nothing happens: what the driver has is that of `running` machines, of which `unreachable` cannot be taken over.
  void checkDriver(Incarnation& bothyd, size_t running, size_t unreachable);
  // When every workspace was deleted.
  void checkEmpty();

private:
  SimulatedHost& host;
  Ledger& ledger;

  void checkPromises();
  void checkSessions();
  void checkSessionsAtRest(Incarnation& bothyd);
  // What the rows take together.
  Demand promised();
  void checkCapacity();
  void checkList(Incarnation& bothyd, bool isAtRest);
  void checkMachines(Incarnation& bothyd);
  // Of one that runs.
  void checkSetup(const WorkspaceView& workspace, SimulatedMachine& machine);
  void checkSleep(kj::StringPtr id);
  void checkAwake();
  void checkDisks();
  void checkFiles();
};

}  // namespace bothy
