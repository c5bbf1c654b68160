#include <catch2/catch_test_macros.hpp>

#include "command/command-test-world.h"
#include "console/failure.h"

namespace bothy {
namespace {

TEST_CASE("tier ls shows what each tier has") {
  CommandTestWorld world;
  CHECK(world.run({"tier", "ls"}) == SUCCESS);
  CHECK(contains(world.out(), "TIER  CPUS"));
  CHECK(contains(world.out(), "free  1"));
  CHECK(contains(world.out(), "10 GiB"));
  CHECK(world.run({"tier", "ls", "--json"}) == SUCCESS);
  CHECK(contains(world.out(), "{\"name\":\"pro\",\"cpus\":2,\"memoryMib\":2048"));
}

TEST_CASE("tier says which actions there are") {
  CommandTestWorld world;
  CHECK(world.run({"tier", "show"}) == WRONG_USAGE);
  CHECK(contains(world.errors(), "there is no action show, only ls"));
  CHECK(world.run({"tier"}) == WRONG_USAGE);
  CHECK(contains(world.errors(), "ACTION is missing"));
}

}  // namespace
}  // namespace bothy
