#pragma once

#include <stdint.h>

#include <kj/string.h>

namespace bothy {

// The real metering over a host of a seed: workspaces that come, run, are paused and go, bothyds that are killed, hosts that are booted, clocks that are
// set, databases and counters that fail.  What it books is held against what was.  What must never be, and was; the calling thread must
// have no event loop.
kj::Maybe<kj::String> simulateMetering(uint64_t seed);

}  // namespace bothy
