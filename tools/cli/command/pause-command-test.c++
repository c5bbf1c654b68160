#include <string.h>

#include <catch2/catch_test_macros.hpp>

#include "command/command-test-world.h"
#include "console/failure.h"

namespace bothy {
namespace {

bool says(kj::StringPtr text, const char* part) {
  return strstr(text.cStr(), part) != nullptr;
}

TEST_CASE("pause and resume say what a workspace does from then on") {
  CommandTestWorld world;
  CHECK(world.run({"pause", "demo"}) == SUCCESS);
  CHECK(says(world.errors(), "demo is paused"));
  CHECK(world.run({"resume", "demo"}) == SUCCESS);
  CHECK(says(world.errors(), "demo is running after"));
}

TEST_CASE("pause --json and resume --json print the workspace") {
  CommandTestWorld world;
  CHECK(world.run({"pause", "--json", "demo"}) == SUCCESS);
  CHECK(says(world.out(), "\"state\":\"paused\""));
  CHECK(world.run({"resume", "--json", "demo"}) == SUCCESS);
  CHECK(says(world.out(), "\"state\":\"running\""));
}

TEST_CASE("pause and resume tell why they were refused, and what to do") {
  CommandTestWorld world;
  SECTION("there is none") {
    CHECK(world.run({"pause", "other"}) == FAILURE);
    CHECK(world.run({"resume", "other"}) == FAILURE);
    CHECK(says(world.errors(), "there is no workspace other"));
  }
  SECTION("one that is stopped") {
    CHECK(world.run({"pause", "idle"}) == FAILURE);
    CHECK(says(world.errors(), "idle does not run (stopped): there is nothing to pause"));
    CHECK(world.run({"resume", "idle"}) == FAILURE);
    CHECK(says(world.errors(), "idle is not paused (stopped): `bothy start idle` starts it"));
  }
  SECTION("one that has expired, of which nothing passes by itself") {
    for (auto command : {"pause", "hibernate", "resume"}) {
      CHECK(world.run({command, "expired"}) == FAILURE);
      CHECK(says(world.errors(), "expired has expired: `bothy start expired` makes it anew"));
    }
  }
  SECTION("one to which something else happens") {
    CHECK(world.run({"pause", "busy"}) == FAILURE);
    CHECK(says(world.errors(), "busy is busy (starting)"));
    CHECK(world.run({"resume", "busy"}) == FAILURE);
    CHECK(says(world.errors(), "busy is busy (pausing)"));
  }
  SECTION("a machine that does not obey, in words that are escaped") {
    world.supervisor.haltFailure = kj::str("evil\x1b[2J");
    CHECK(world.run({"pause", "demo"}) == FAILURE);
    CHECK(says(world.errors(), "demo could not be paused: evil\\x1b[2J"));
    CHECK(world.run({"resume", "demo"}) == FAILURE);
    CHECK(says(world.errors(), "demo could not be resumed: evil\\x1b[2J"));
  }
}

}  // namespace
}  // namespace bothy
