#pragma once

#include <kj/debug.h>
#include <kj/time.h>

namespace bothy {

// Bounds how often something is told in the log that somebody else makes happen.
class LogPace final {
public:
  // At most so many lines in each `period`.  `clock` outlives it.
  LogPace(const kj::MonotonicClock& clock, kj::Duration period, kj::uint most = 1)
      : clock(clock), period(period), most(most) {}

  // To be asked for each line.  None: it is to be left out.  Else how many were since the last.
  kj::Maybe<uint64_t> next() {
    const auto now = clock.now();
    if (begin == nullptr || now - KJ_ASSERT_NONNULL(begin) >= period) {
      begin = now;
      lines = 0;
    }
    if (lines >= most) {
      ++leftOut;
      return nullptr;
    }
    ++lines;
    const auto before = leftOut;
    leftOut = 0;
    return before;
  }

private:
  const kj::MonotonicClock& clock;
  const kj::Duration period;
  const kj::uint most;
  kj::Maybe<kj::TimePoint> begin;  // of the present one
  kj::uint lines = 0;              // in it
  uint64_t leftOut = 0;
};

}  // namespace bothy
