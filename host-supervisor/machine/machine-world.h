#pragma once

#include <kj/timer.h>

#include "loop/retry-pauses.h"
#include "secret/randomness.h"
#include "vm/vm-driver.h"

namespace bothy {

// How long each step in the life of a machine may take before it has failed.
struct MachineDeadlines {
  // The start of a machine from its beginning, and its wait while others start first.
  kj::Duration startVm = 60 * kj::SECONDS;
  kj::Duration turn = 30 * kj::MINUTES;
  kj::Duration destroyVm = 60 * kj::SECONDS;
  // The CPUs of one that runs to stand still, and to go on.
  kj::Duration pauseVm = 30 * kj::SECONDS;
  // Between two tries of something that must succeed in the end.
  RetryPauses::Limits retry;
};

// The world, as the logic of machines sees it.
struct MachineWorld {
  VmDriver& driver;
  Randomness& randomness;
  kj::Timer& timer;
  const MachineDeadlines& deadlines;

  RetryPauses pauses() const { return RetryPauses(timer, deadlines.retry); }
};

}  // namespace bothy
