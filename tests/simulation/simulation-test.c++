#include "simulation/simulation.h"

#include <stdlib.h>

#include <catch2/catch_test_macros.hpp>

#include <initializer_list>

namespace bothy {
namespace {

#if __has_feature(address_sanitizer)
// Where each takes several times as long.
constexpr uint64_t SEEDS = 200;
constexpr size_t CROWD = 300;
#else
constexpr uint64_t SEEDS = 2000;
constexpr size_t CROWD = 2000;
#endif
constexpr uint64_t FULL_SEEDS = 20000;
constexpr uint64_t PARTS = 4;
constexpr uint64_t FIRST_SEED = 1;
constexpr uint64_t CROWDS = 1, FULL_CROWDS = 100;

// Every `PARTS`-th seed, beginning with the `part`-th.
void holdsInPart(uint64_t part) {
  uint64_t count = getenv("BOTHY_FULL") != nullptr ? FULL_SEEDS : SEEDS;
  for (uint64_t seed = FIRST_SEED + part; seed < FIRST_SEED + count; seed += PARTS) {
    auto result = simulate(seed);
    if (result.violation != nullptr) FAIL(report(seed, result).cStr());
  }
}

TEST_CASE(
    "P28 P29 P30 P41 R20 R22 nothing told is lost, nothing is left over and nothing is stuck, "
    "whatever fails (first part of the seeds)") {
  holdsInPart(0);
}

TEST_CASE(
    "P28 P29 P30 P41 R20 R22 nothing told is lost, nothing is left over and nothing is stuck, "
    "whatever fails (second part of the seeds)") {
  holdsInPart(1);
}

TEST_CASE(
    "P28 P29 P30 P41 R20 R22 nothing told is lost, nothing is left over and nothing is stuck, "
    "whatever fails (third part of the seeds)") {
  holdsInPart(2);
}

TEST_CASE(
    "P28 P29 P30 P41 R20 R22 nothing told is lost, nothing is left over and nothing is stuck, "
    "whatever fails (fourth part of the seeds)") {
  holdsInPart(3);
}

TEST_CASE(
    "P30 P41 R20 the same holds among thousands of workspaces, of which 200 are started at once") {
  SimulationOptions options;
  options.crowd = CROWD;
  const uint64_t count = getenv("BOTHY_FULL") != nullptr ? FULL_CROWDS : CROWDS;
  for (uint64_t seed = FIRST_SEED; seed < FIRST_SEED + count; seed++) {
    auto result = simulate(seed, options);
    if (result.violation != nullptr) FAIL(report(seed, result).cStr());
  }
}

TEST_CASE("P30 none of 100 starts at once fails where nothing else does") {
  SimulationOptions options;
  options.crowd = CROWD;
  options.burst = 100;
  options.isCalm = true;
  auto result = simulate(FIRST_SEED, options);
  if (result.violation != nullptr) FAIL(report(FIRST_SEED, result).cStr());
  CHECK(result.tally.started == options.burst);
  CHECK(result.tally.notStarted == 0);
}

#if !__has_feature(address_sanitizer)
// Under sanitizers these would be three times as many worlds as all others, and which faults strike says nothing about memory.
TEST_CASE(
    "R02 every fault is met, and bothyd is killed with a workspace in every state, and before it "
    "serves") {
  // Enough for the rarest fault (1 in 75 seeds, and not evenly).
  constexpr uint64_t MANY_SEEDS = 1000;
  Tally sum;
  for (uint64_t seed = FIRST_SEED; seed < FIRST_SEED + MANY_SEEDS; seed++)
    sum.add(simulate(seed).tally);
  for (size_t i = 0; i < FAULT_COUNT; i++) {
    INFO(toString(static_cast<Fault>(i)).cStr());
    CHECK(sum.struck[i] > 0);
  }
  for (size_t i = 0; i < STATE_COUNT; i++) {
    INFO(toString(static_cast<WorkspaceState>(i)).cStr());
    CHECK(sum.killedIn[i] > 0);
  }
  CHECK(sum.killedRecovering > 0);
}
#endif

TEST_CASE("the same seed gives the same trace, byte by byte, and another seed another") {
  SimulationOptions all;
  all.keep = Trace::Keep::ALL;
  for (uint64_t seed = FIRST_SEED; seed < FIRST_SEED + 20; seed++) {
    auto once = simulate(seed, all), again = simulate(seed, all), short_ = simulate(seed);
    CHECK(once.trace.size() > 0);
    CHECK(once.trace == again.trace);
    CHECK(once.digest == short_.digest);
    CHECK(once.digest != simulate(seed + 1000).digest);
  }
}

// What the judge says of the first world that is found wanting; fails if none of many is.
kj::String verdictOn(Sabotage sabotage) {
  constexpr uint64_t MOST_SEEDS = 100;
  SimulationOptions options;
  options.sabotage = sabotage;
  for (uint64_t seed = FIRST_SEED; seed < FIRST_SEED + MOST_SEEDS; seed++) {
    auto result = simulate(seed, options);
    KJ_IF_MAYBE (violation, result.violation) {
      auto told = report(seed, result);
      CHECK(told.asArray().size() > result.trace.size());
      return kj::mv(*violation);
    }
  }
  FAIL("nothing was found");
  KJ_UNREACHABLE;
}

TEST_CASE("the judge is alive: each way to break a world on purpose is found") {
  auto says = [](Sabotage sabotage, std::initializer_list<const char*> words) {
    auto verdict = verdictOn(sabotage);
    INFO(verdict.cStr());
    bool isNamed = false;
    for (auto word : words) isNamed = isNamed || strstr(verdict.cStr(), word) != nullptr;
    CHECK(isNamed);
  };
  says(Sabotage::VOLUME_IS_KEPT, {"disk", "something of it"});
  says(Sabotage::KEY_IS_KEPT, {"key", "something of it"});
  says(Sabotage::MACHINE_IS_KEPT, {"machine", "process"});
  // By what of the workspace is missed or met first.
  says(Sabotage::ROW_IS_LOST, {"key", "disk", "machine", "row", "database", "gone"});
  says(Sabotage::GROWTH_IS_FORGOTTEN, {"size", "bytes", "MiB"});
}

}  // namespace
}  // namespace bothy
