#pragma once

#include <kj/time.h>

namespace bothy {

// Bounds how often something is told in the log that somebody else makes happen.
class LogPace final {
public:
  // `clock` outlives it.
  LogPace(const kj::MonotonicClock& clock, kj::Duration pause) : clock(clock), pause(pause) {}

  // To be asked for each line.  None: it is to be left out.  Else how many were since the last.
  kj::Maybe<uint64_t> next() {
    const auto now = clock.now();
    KJ_IF_MAYBE (t, told) {
      if (now - *t < pause) {
        ++leftOut;
        return nullptr;
      }
    }
    told = now;
    const auto before = leftOut;
    leftOut = 0;
    return before;
  }

private:
  const kj::MonotonicClock& clock;
  const kj::Duration pause;
  kj::Maybe<kj::TimePoint> told;
  uint64_t leftOut = 0;
};

}  // namespace bothy
