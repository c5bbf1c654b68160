#pragma once

#include <kj/time.h>

namespace bothy {

// The machine's clock (CLOCK_REALTIME).
class MachineClock {
public:
  // Sets it at once; by how much it was behind `now`.
  virtual kj::Duration step(kj::Date now) = 0;
};

// The kernel's.
class KernelMachineClock final: public MachineClock {
public:
  kj::Duration step(kj::Date now) override;
};

}  // namespace bothy
