#include "doctor/capacity-checks.h"

#include <catch2/catch_test_macros.hpp>

#include "doctor/test-host.h"

namespace bothy {
namespace {

ExaminedPlaces places(ExaminedCapacity capacity) {
  return {kj::str("/var/lib/bothy"), kj::str("/run/bothy"), 700000, 10000, 4ull << 30, capacity};
}

TEST_CASE("P53 settings that promise no more than the host has are good") {
  auto finding = checkCapacity(places({24000, 2, 21000, 32, 512, 0}));
  CHECK(isWhole(finding));
  CHECK(finding.verdict == Verdict::OK);
  CHECK(finding.found == "machines may have 21000 MiB and 32 processors, of 24000 MiB and 2");
}

TEST_CASE(
    "P53 settings that promise more than the host has, or nothing, are told with what to do") {
  auto advice = [](ExaminedCapacity capacity) {
    auto finding = checkCapacity(places(capacity));
    CHECK(isWhole(finding));
    CHECK(finding.verdict == Verdict::WARN);
    return kj::mv(finding.advice);
  };
  CHECK(contains(advice({24000, 2, 24001, 32, 512, 0}), "set memory-overcommit to 1"));
  CHECK(contains(advice({24000, 2, 511, 32, 512, 0}), "lower memory-reserve"));
  CHECK(contains(advice({24000, 2, 21000, 0, 512, 0}), "raise cpu-overcommit"));
  CHECK(contains(advice({24000, 2, 21000, 32, 512, 101}), "set disk-overcommit to 1"));
}

}  // namespace
}  // namespace bothy
