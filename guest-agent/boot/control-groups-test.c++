#include "boot/control-groups.h"

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr uint64_t MIB = 1024 * 1024;
constexpr uint64_t OUTPUTS = 16 * MIB;

ProgramsLimits known(const MachineSize& size) {
  return KJ_ASSERT_NONNULL(limitsOf(size));
}

TEST_CASE(
    "S42 programs have all of a machine but what the agent, the reserve and the kernel need") {
  auto limits = known({430 * MIB, 1500, 80, OUTPUTS});
  CHECK(limits.memoryBytes == 366 * MIB);
  CHECK(limits.tasks == 1500 - 80 - 64 - 192);
  // What is kept grows with the machine by the outputs alone.
  CHECK(known({64000 * MIB, 500000, 500, 128 * MIB}).memoryBytes == 63824 * MIB);
}

TEST_CASE("S42 programs of a small machine have half of it at least") {
  CHECK(known({60 * MIB, 200, 150, OUTPUTS}).memoryBytes == 30 * MIB);
  CHECK(known({60 * MIB, 200, 150, OUTPUTS}).tasks == 100);
}

TEST_CASE("S42 processes that do nothing do not use up the memory of a machine") {
  CHECK(known({430 * MIB, 3900, 80, OUTPUTS}).tasks == 4 * 366);
}

TEST_CASE("a machine whose size cannot be read limits nobody to nothing") {
  CHECK(limitsOf({0, 3900, 80, OUTPUTS}) == nullptr);
  CHECK(limitsOf({430 * MIB, 0, 80, OUTPUTS}) == nullptr);
}

}  // namespace
}  // namespace bothy
