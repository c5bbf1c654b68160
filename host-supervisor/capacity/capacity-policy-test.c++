#include "capacity/capacity-policy.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr HostSize HOST{24000, 2, 100000};

TEST_CASE(
    "P53 by default a host promises its memory less an eighth, and sixteen processors for each") {
  auto policy = policyFor({}, HOST);
  CHECK(policy.memoryMib == 21000);
  CHECK(policy.cpus == 32);
  CHECK(policy.diskMib == CapacityPolicy::UNLIMITED);
  CHECK(policy.freeDiskMib == 256);
  // Not more than 4 GiB are kept.
  CHECK(policyFor({}, {1048576, 64, 1}).memoryMib == 1048576 - 4096);
}

TEST_CASE("a policy follows the settings") {
  CapacitySettings settings;
  settings.memoryPercent = 150;
  settings.keptMemoryMib = 4000u;
  settings.cpuPercent = 50;
  settings.diskPercent = 200;
  settings.keptDiskMib = 10000;
  auto policy = policyFor(settings, HOST);
  CHECK(policy.memoryMib == 30000);
  CHECK(policy.cpus == 1);
  CHECK(policy.diskMib == 180000);
  CHECK(policy.freeDiskMib == 10000);
  settings.keptMemoryMib = 25000u;
  settings.keptDiskMib = 200000;
  policy = policyFor(settings, HOST);
  CHECK(policy.memoryMib == 0);
  CHECK(policy.diskMib == 0);
}

}  // namespace
}  // namespace bothy
