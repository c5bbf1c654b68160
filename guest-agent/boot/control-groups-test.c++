#include "boot/control-groups.h"

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr uint64_t MIB = 1024 * 1024;

ProgramsLimits known(const MachineSize& size) {
  return KJ_ASSERT_NONNULL(limitsOf(size));
}

TEST_CASE(
    "S42 programs have all of a machine but what the agent, the reserve and the kernel need") {
  auto limits = known({430 * MIB, 1500, 80});
  CHECK(limits.memoryBytes == 382 * MIB);
  CHECK(limits.tasks == 1500 - 80 - 64 - 192);
  // What is kept does not grow with the machine.
  CHECK(known({64000 * MIB, 500000, 500}).memoryBytes == 63952 * MIB);
}

TEST_CASE("S42 programs of a small machine have half of it at least") {
  CHECK(known({60 * MIB, 200, 150}).memoryBytes == 30 * MIB);
  CHECK(known({60 * MIB, 200, 150}).tasks == 100);
}

TEST_CASE("S42 processes that do nothing do not use up the memory of a machine") {
  CHECK(known({430 * MIB, 3900, 80}).tasks == 4 * 382);
}

TEST_CASE("a machine whose size cannot be read limits nobody to nothing") {
  CHECK(limitsOf({0, 3900, 80}) == nullptr);
  CHECK(limitsOf({430 * MIB, 0, 80}) == nullptr);
}

}  // namespace
}  // namespace bothy
