#include "simulation/metered-world.h"

#include <stdlib.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

#if __has_feature(address_sanitizer)
constexpr uint64_t SEEDS = 40;
#else
constexpr uint64_t SEEDS = 400;
#endif
constexpr uint64_t FULL_SEEDS = 20000;

TEST_CASE(
    "P27 P30 no time is metered twice and none is left out, whatever is killed, fails or is set") {
  const uint64_t count = getenv("BOTHY_FULL") != nullptr ? FULL_SEEDS : SEEDS;
  for (uint64_t seed = 1; seed <= count; seed++) {
    KJ_IF_MAYBE (violation, simulateMetering(seed)) {
      FAIL("seed " << seed << ": " << violation->cStr());
    }
  }
}

}  // namespace
}  // namespace bothy
