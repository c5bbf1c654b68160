#include <catch2/catch_test_macros.hpp>

#include "command/command-test-world.h"
#include "console/failure.h"

namespace bothy {
namespace {

TEST_CASE("expire says what is gone, and how the workspace is had again") {
  CommandTestWorld world;
  CHECK(world.run({"expire", "idle"}) == SUCCESS);
  CHECK(contains(world.errors(), "idle has expired, and its disk is gone: `bothy start idle`"));
  CHECK(world.run({"expire", "--json", "idle"}) == SUCCESS);
  CHECK(contains(world.out(), "\"state\":\"expired\""));
}

TEST_CASE("expire tells why it was refused, and what to do") {
  CommandTestWorld world;
  SECTION("there is none") {
    CHECK(world.run({"expire", "other"}) == FAILURE);
    CHECK(contains(world.errors(), "there is no workspace other"));
  }
  SECTION("one that runs") {
    CHECK(world.run({"expire", "demo"}) == FAILURE);
    CHECK(contains(world.errors(),
                   "demo is running: `bothy stop demo` first, or `bothy expire -f demo`"));
    CHECK(world.run({"expire", "-f", "demo"}) == SUCCESS);
  }
  SECTION("one to which something else happens") {
    CHECK(world.run({"expire", "busy"}) == FAILURE);
    CHECK(contains(world.errors(), "busy is busy (creating)"));
  }
  SECTION("one that is damaged, in words that are escaped") {
    CHECK(world.run({"expire", "damaged"}) == FAILURE);
    CHECK(contains(world.errors(),
                   "damaged cannot expire: its row is damaged\\x1b: `bothy rm damaged`"));
  }
  SECTION("one that goes on") {
    CHECK(world.run({"expire", "slow"}) == FAILURE);
    CHECK(contains(world.errors(), "slow is still expiring"));
  }
}

TEST_CASE("a workspace that has expired is told as one that a start makes anew") {
  CommandTestWorld world;
  world.supervisor.state = rpc::WorkspaceState::EXPIRED;
  CHECK(world.run({"exec", "demo", "true"}) != SUCCESS);
  CHECK(
      contains(world.errors(), "demo is not running (expired): `bothy start demo` makes it anew"));
}

}  // namespace
}  // namespace bothy
