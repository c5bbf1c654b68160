#pragma once

#include <kj/time.h>
#include <stdint.h>
#include <time.h>

namespace bothy {

// For the thread that looks after the event loop, which uses nothing of KJ's that allocates.

constexpr uint64_t NANOS_PER_SECOND = 1'000'000'000;

inline uint64_t monotonicNanos() {
  struct timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * NANOS_PER_SECOND + static_cast<uint64_t>(now.tv_nsec);
}

inline void sleepFor(kj::Duration duration) {
  const auto nanos = static_cast<uint64_t>(duration / kj::NANOSECONDS);
  struct timespec left = {static_cast<time_t>(nanos / NANOS_PER_SECOND),
                          static_cast<long>(nanos % NANOS_PER_SECOND)};
  clock_nanosleep(CLOCK_MONOTONIC, 0, &left, nullptr);
}

}  // namespace bothy
