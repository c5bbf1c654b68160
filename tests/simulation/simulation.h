#pragma once

#include "simulation/fault.h"
#include "simulation/simulated-host.h"
#include "store/records.h"

namespace bothy {

constexpr size_t STATE_COUNT = static_cast<size_t>(LAST_STATE) + 1;

// What simulations met, in sum.
struct Tally {
  uint64_t seeds = 0;
  uint64_t operations = 0;
  uint64_t virtualSeconds = 0;
  uint64_t struck[FAULT_COUNT] = {};
  // What clients were told of starts of a crowd.
  uint64_t started = 0, notStarted = 0;
  // Workspaces that bothyd was killed with, by the state in the database.
  uint64_t killedIn[STATE_COUNT] = {};
  // Lives that were killed before they served, in WorkspaceManager::recover().
  uint64_t killedRecovering = 0;

  void add(const Tally& other);
};

struct SimulationResult {
  // What must never be, and was.
  kj::Maybe<kj::String> violation;
  kj::String trace;
  uint64_t digest;
  Tally tally;
};

struct SimulationOptions {
  Trace::Keep keep = Trace::Keep::LAST;
  Sabotage sabotage = Sabotage::NONE;
  // Workspaces that are there before the world begins, and of which many are started at once.
  size_t crowd = 0;
  size_t burst = 200;
  // Nothing fails, and nobody asks for anything but the starts of the crowd.
  bool isCalm = false;
};

// Runs one world from its beginning to its end, where everything was deleted.  The same seed gives the same
// trace, byte by byte.  The calling thread must have no event loop.
SimulationResult simulate(uint64_t seed, SimulationOptions options = SimulationOptions());

// A violation for people: what, the end of the trace, and how to see it again.
kj::String report(uint64_t seed, const SimulationResult& result);

}  // namespace bothy
