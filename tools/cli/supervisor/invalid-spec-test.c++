#include "supervisor/invalid-spec.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("what bothyd refuses is told by the names of options, with sizes as they are typed") {
  CHECK(describeInvalid("memoryMib is 1: it must be 256 to 1048576") ==
        "--memory is 1M: it must be 256M to 1T");
  CHECK(
      describeInvalid("memoryMib is 1022976: the host has 23999, and a machine cannot have more") ==
      "--memory is 999G: the host has 23999M, and a machine cannot have more");
  CHECK(describeInvalid("diskMib is 1024: a disk never shrinks, and this one has 4096") ==
        "--disk is 1G: a disk never shrinks, and this one has 4G");
  CHECK(describeInvalid("cpus is 17: it must be 1 to 16") == "--cpus is 17: it must be 1 to 16");
  CHECK(describeInvalid("name is 'No': it must be 1 to 63 of a-z") ==
        "NAME is 'No': it must be 1 to 63 of a-z");
  CHECK(describeInvalid("memoryMib is 512: the tier 'pro' has 2048, leave out one of both") ==
        "--memory is 512M: the tier 'pro' has 2G, leave out one of both");
  CHECK(describeInvalid("tier is 'gold': it must be one of free, pro") ==
        "--tier is 'gold': it must be one of free, pro");
  CHECK(describeInvalid("setup has 65 steps: it must be at most 64") ==
        "--setup has 65 steps: it must be at most 64");
  CHECK(describeInvalid("environment has A twice") == "--env has A twice");
  CHECK(describeInvalid("requestId has 300 bytes: it must be at most 64") ==
        "--request-id has 300 bytes: it must be at most 64");
}

TEST_CASE("S08 what bothyd says of anything else stays as it is, and is escaped") {
  CHECK(describeInvalid("cpusets are 12\x1b[2J") == "cpusets are 12\\x1b[2J");
  CHECK(describeInvalid("diskMib is \x1b[2J") == "--disk is \\x1b[2J");
  CHECK(describeInvalid("") == "");
}

}  // namespace
}  // namespace bothy
