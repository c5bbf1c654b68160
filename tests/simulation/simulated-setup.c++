#include "simulation/simulated-setup.h"

namespace bothy {

SimulatedSetup::SimulatedSetup(Fate& fate, Trace& trace, Judge& judge, DiskSetup& disk,
                               kj::StringPtr label,
                               kj::Function<kj::Promise<void>(kj::Duration)> later)
    : fate(fate),
      trace(trace),
      judge(judge),
      disk(disk),
      label(kj::str(label)),
      later(kj::mv(later)) {}

void SimulatedSetup::configure(rpc::Configuration::Reader configuration) {
  if (configured) return;
  configured = true;
  steps = configuration.getSetup().getSteps().size();
  trace.line("guest", label, " is configured, ", steps, " steps, ", disk.done, " done");
  if (disk.done > steps) judge.accuse("the steps of ", label, " are others than before");
  running = run().eagerlyEvaluate(nullptr);
}

void SimulatedSetup::goOn(Memory memory) {
  configured = memory.configured;
  steps = memory.steps;
  revision = memory.revision;
  if (configured) running = run().eagerlyEvaluate(nullptr);
}

void SimulatedSetup::change() {
  ++revision;
  waiters.wakeAll();
}

kj::Promise<void> SimulatedSetup::run() {
  if (revision == 0) {
    co_await later(fate.between(0 * kj::SECONDS, LONGEST_READING));
    change();
  }
  while (disk.done < steps) {
    while (disk.isFailed) co_await waiters.wait();
    co_await later(fate.between(0 * kj::SECONDS, LONGEST_STEP));
    if (fate.strikes(Fault::SETUP_STEP_FAILS)) {
      disk.isFailed = true;
      trace.line("guest", label, " fails in step ", disk.done);
    } else {
      ++disk.done;
    }
    change();
  }
}

kj::Promise<void> SimulatedSetup::onChange(uint64_t known) {
  while (revision <= known) co_await waiters.wait();
}

void SimulatedSetup::tell(rpc::SetupStatus::Builder status) const {
  status.setRevision(revision);
  if (revision == 0) return;
  status.setDone(disk.done);
  if (disk.isFailed) {
    status.initFailed().setExited(1);
  } else if (disk.done < steps) {
    status.setRunning("a line");
  } else {
    status.setComplete();
  }
}

void SimulatedSetup::retry() {
  if (revision == 0 || !disk.isFailed) return;
  disk.isFailed = false;
  change();
}

}  // namespace bothy
