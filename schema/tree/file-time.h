#pragma once

#include <stdint.h>
#include <time.h>

#include <limits>

namespace bothy {

constexpr int64_t NANOS_PER_SECOND = 1'000'000'000;

// A time of a file as the schema has it: nanoseconds since 1970-01-01T00:00:00Z.  One outside of what that holds (1677 to 2262) becomes
// the nearest that it does.
constexpr int64_t nanosOf(const timespec& time) {
  using Limits = std::numeric_limits<int64_t>;
  if (time.tv_sec >= Limits::max() / NANOS_PER_SECOND) return Limits::max();
  if (time.tv_sec < Limits::min() / NANOS_PER_SECOND) return Limits::min();
  return time.tv_sec * NANOS_PER_SECOND + time.tv_nsec;
}

constexpr timespec timeOf(int64_t nanos) {
  auto seconds = nanos / NANOS_PER_SECOND;
  auto rest = nanos % NANOS_PER_SECOND;
  if (rest < 0) return {seconds - 1, rest + NANOS_PER_SECOND};
  return {seconds, rest};
}

}  // namespace bothy
