#pragma once

#include <kj/time.h>

#include "loop/retry-pauses.h"

namespace bothy {

// How long each step in the life of a machine may take before it has failed.
struct MachineDeadlines {
  // The start of a machine from its beginning, and its wait while others start first.
  kj::Duration startVm = 60 * kj::SECONDS;
  kj::Duration turn = 30 * kj::MINUTES;
  kj::Duration destroyVm = 60 * kj::SECONDS;
  // Between two tries of something that must succeed in the end.
  RetryPauses::Limits retry;
};

}  // namespace bothy
