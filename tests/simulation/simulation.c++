#include "simulation/simulation.h"

#include <kj/exception.h>

#include "simulation/world-keeper.h"

namespace bothy {
namespace {

// Thousands of faults are logged, and nobody reads them: a trace has what counts.  Stacks are not walked,
// for speed.
class Silence final: public kj::ExceptionCallback {
public:
  void logMessage(kj::LogSeverity, const char*, int, int, kj::String&&) override {}
  StackTraceMode stackTraceMode() override { return StackTraceMode::NONE; }
};

}  // namespace

void Tally::add(const Tally& other) {
  seeds += other.seeds;
  operations += other.operations;
  virtualSeconds += other.virtualSeconds;
  started += other.started;
  notStarted += other.notStarted;
  killedRecovering += other.killedRecovering;
  for (size_t i = 0; i < FAULT_COUNT; i++) struck[i] += other.struck[i];
  for (size_t i = 0; i < STATE_COUNT; i++) killedIn[i] += other.killedIn[i];
}

SimulationResult simulate(uint64_t seed, SimulationOptions options) {
  Silence silence;
  WorldKeeper keeper(seed, options);
  return keeper.run();
}

kj::String report(uint64_t seed, const SimulationResult& result) {
  kj::StringPtr violation = "nothing";
  KJ_IF_MAYBE (text, result.violation) {
    violation = *text;
  }
  return kj::str(result.trace, "seed ", seed, ": ", violation,
                 "\nsee all of it: tools/simulate --seed ", seed, " --trace\n");
}

}  // namespace bothy
