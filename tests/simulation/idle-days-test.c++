#include "simulation/idle-days.h"

#include <stdlib.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

#if __has_feature(address_sanitizer)
constexpr uint64_t SEEDS = 50;
constexpr size_t CROWD = 1000;
#else
constexpr uint64_t SEEDS = 500;
constexpr size_t CROWD = 10000;
#endif
constexpr uint64_t FULL_SEEDS = 20000;

TEST_CASE(
    "P26 P27 P42 nobody is paused who uses a workspace, and none stays awake that nobody uses, for "
    "days on end") {
  const uint64_t count = getenv("BOTHY_FULL") != nullptr ? FULL_SEEDS : SEEDS;
  for (uint64_t seed = 1; seed <= count; seed++) {
    KJ_IF_MAYBE (found, liveIdleDays(seed)) {
      FAIL(kj::str("seed ", seed, ": ", *found, "\ntools/simulate --idle --seed ", seed).cStr());
    }
  }
}

TEST_CASE(
    "P27 of 10,000 workspaces 99 % are paused, hibernated and expired within 30 s of their "
    "deadlines") {
  CHECK(restingLate(1, CROWD) <= CROWD / 100);
}

}  // namespace
}  // namespace bothy
