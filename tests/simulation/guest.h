#pragma once

#include <stdint.h>

#include <kj/common.h>
#include <kj/time.h>

#include "schema/limits.capnp.h"
#include "simulation/fate.h"

namespace bothy {

// What one boot of a simulated guest is going to do.
struct Guest {
  // After the start; nullptr: never.
  kj::Maybe<kj::Duration> firstWord;
  kj::Maybe<kj::Duration> agentListens;
  kj::Maybe<kj::Duration> panics;
  kj::Maybe<kj::Duration> reboots;
  bool answersHello = true;
  bool acceptsSecret = true;
  bool breaksOff = false;
  uint32_t generation = rpc::GENERATION;
  // How long after the order; nullptr: it ignores it.
  kj::Maybe<kj::Duration> powersOff;
};

Guest bornOf(Fate& fate);

}  // namespace bothy
