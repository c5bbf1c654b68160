#pragma once

#include <stdint.h>

#include <kj/time.h>

namespace bothy {

// Which events are kept.  One workspace cannot drive out the others' (P58).
struct EventLimits {
  // Of each workspace the newest; looked at now and then, so a thirty-second more may be there.
  uint32_t perWorkspace = 1000;
  // Of those, what its guest reports, so that it does not drive out what happened to the workspace itself.
  uint32_t ofGuest = 250;
  kj::Duration age = 90 * kj::DAYS;
  // Of all; looked at now and then, so some thousands more may be there.
  uint32_t total = 1000000;
};

}  // namespace bothy
