#include <string.h>

#include <catch2/catch_test_macros.hpp>

#include "command/command-test-world.h"
#include "console/failure.h"

namespace bothy {
namespace {

bool says(kj::StringPtr text, const char* part) {
  return strstr(text.cStr(), part) != nullptr;
}

TEST_CASE(
    "hibernate says how long it took and what the memory takes, ls shows it, resume wakes it") {
  CommandTestWorld world;
  CHECK(world.run({"hibernate", "demo"}) == SUCCESS);
  CHECK(says(world.errors(), "demo is hibernated after"));
  CHECK(says(world.errors(), "with 20 MiB"));
  CHECK(world.run({"ls", "--state", "hibernated"}) == SUCCESS);
  CHECK(world.run({"resume", "demo"}) == SUCCESS);
  CHECK(says(world.errors(), "demo is running after"));
}

TEST_CASE("hibernate --json prints the workspace") {
  CommandTestWorld world;
  CHECK(world.run({"hibernate", "--json", "demo"}) == SUCCESS);
  CHECK(says(world.out(), "\"state\":\"hibernated\""));
  CHECK(says(world.out(), "\"savedBytes\":\"20971520\""));
}

TEST_CASE("hibernate tells why it was refused") {
  CommandTestWorld world;
  SECTION("there is none") {
    CHECK(world.run({"hibernate", "other"}) == FAILURE);
    CHECK(says(world.errors(), "there is no workspace other"));
  }
  SECTION("one that is stopped") {
    CHECK(world.run({"hibernate", "idle"}) == FAILURE);
    CHECK(says(world.errors(), "idle does not run (stopped): there is nothing to hibernate"));
  }
  SECTION("one to which something else happens") {
    CHECK(world.run({"hibernate", "busy"}) == FAILURE);
    CHECK(says(world.errors(), "busy is busy (starting)"));
  }
  SECTION("a disk without room, with the figures") {
    CHECK(world.run({"hibernate", "large"}) == FAILURE);
    CHECK(says(world.errors(), "large could not be hibernated: 552 MiB are to be written at once"));
  }
  SECTION("a machine that does not obey, in words that are escaped") {
    world.supervisor.haltFailure = kj::str("evil\x1b[2J");
    CHECK(world.run({"hibernate", "demo"}) == FAILURE);
    CHECK(says(world.errors(), "demo could not be hibernated: evil\\x1b[2J"));
  }
}

}  // namespace
}  // namespace bothy
