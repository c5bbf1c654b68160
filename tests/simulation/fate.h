#pragma once

#include <kj/time.h>

#include "secret/randomness.h"
#include "simulation/fault.h"

namespace bothy {

// All chance of a simulated world: the same seed, the same fate.  Each seed has faults of its own that are
// never, seldom or often met, so that some worlds are bad in one way only and some in many.
class Fate final: public Randomness {
public:
  explicit Fate(uint64_t seed);
  KJ_DISALLOW_COPY_AND_MOVE(Fate);

  uint64_t next();
  // 0 to limit - 1.
  uint64_t below(uint64_t limit);
  bool oneIn(uint64_t count) { return below(count) == 0; }
  // In whole microseconds: hardly ever do two things happen at the same time, and each may be the first.
  kj::Duration between(kj::Duration least, kj::Duration most);

  // Whether it happens now.
  bool strikes(Fault fault);
  // Whether it ever does by itself.
  bool knows(Fault fault) const { return permille[static_cast<size_t>(fault)] > 0; }
  // It happens the next time that it may, also where there are no faults otherwise.
  void decree(Fault fault) { decreed[static_cast<size_t>(fault)]++; }
  // How often it did.
  uint64_t struck(Fault fault) const { return counts[static_cast<size_t>(fault)]; }
  // No fault from here on.
  void calm();

  void fill(kj::ArrayPtr<kj::byte> bytes) override;

private:
  uint64_t state;
  uint32_t permille[FAULT_COUNT];
  uint64_t counts[FAULT_COUNT] = {};
  uint64_t decreed[FAULT_COUNT] = {};
};

}  // namespace bothy
