#pragma once

#include <stdint.h>

namespace bothy {

constexpr uint32_t WAKE_LABEL_BYTES = 64;

// What the supervisor hears of the wake locks that programs have taken: how many there are, and of the one that ends last whose it is, until when
// (CLOCK_MONOTONIC, in ms), and what for, ended by a NUL.  One process gives it to another as it is.
struct WakeSummary {
  uint32_t count = 0;
  uint32_t uid = 0;
  uint64_t untilMillis = 0;
  char label[WAKE_LABEL_BYTES + 1] = {};

  bool operator==(const WakeSummary&) const = default;
};

}  // namespace bothy
