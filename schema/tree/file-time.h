#pragma once

#include <stdint.h>
#include <time.h>

namespace bothy {

constexpr int64_t NANOS_PER_SECOND = 1'000'000'000;

// A time of a file as the schema has it: nanoseconds since 1970-01-01T00:00:00Z.
constexpr int64_t nanosOf(const timespec& time) {
  return time.tv_sec * NANOS_PER_SECOND + time.tv_nsec;
}

constexpr timespec timeOf(int64_t nanos) {
  auto seconds = nanos / NANOS_PER_SECOND;
  auto rest = nanos % NANOS_PER_SECOND;
  if (rest < 0) return {seconds - 1, rest + NANOS_PER_SECOND};
  return {seconds, rest};
}

}  // namespace bothy
