#pragma once

#include "simulation/simulated-host.h"

namespace bothy {

// The wall clock: virtual time, and what somebody has set it ahead or back by.
class SimulatedClock final: public kj::Clock {
public:
  explicit SimulatedClock(const SimulatedHost& host) : host(host) {}

  kj::Date now() const override {
    return kj::UNIX_EPOCH + 20000 * kj::DAYS + (host.timer.now() - kj::origin<kj::TimePoint>()) +
           host.clockAhead;
  }

private:
  const SimulatedHost& host;
};

}  // namespace bothy
