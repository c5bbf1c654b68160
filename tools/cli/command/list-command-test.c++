#include <string.h>

#include <catch2/catch_test_macros.hpp>

#include "command/command-test-world.h"
#include "console/failure.h"

namespace bothy {
namespace {

TEST_CASE("a list of several pages is shown whole") {
  CommandTestWorld world;
  world.supervisor.page = 1;
  CHECK(world.run({"ls"}) == SUCCESS);
  CHECK(contains(world.out(), "demo"));
  CHECK(contains(world.out(), "idle"));
  CHECK(world.supervisor.lists == 2);
}

TEST_CASE("a list has the workspaces that begin so, or are in one of some states") {
  CommandTestWorld world;
  CHECK(world.run({"ls", "--state", "failed"}) == SUCCESS);
  CHECK(contains(world.out(), "idle"));
  CHECK(!contains(world.out(), "demo"));
  CHECK(world.run({"ls", "d"}) == SUCCESS);
  CHECK(contains(world.out(), "demo"));
  CHECK(world.run({"ls", "--state", "failed", "d"}) == SUCCESS);
  CHECK(contains(world.errors(), "there are no such workspaces: `bothy ls` lists all"));
  CHECK(world.run({"ls", "--state", "broken"}) == WRONG_USAGE);
  CHECK(contains(world.errors(), "--state broken: it must be one of creating, stopped"));
}

TEST_CASE("a list says what goes on in a workspace") {
  CommandTestWorld world;
  CHECK(world.run({"ls"}) == SUCCESS);
  CHECK(contains(world.out(), "input 3m12s ago"));
  world.supervisor.commands = 2;
  CHECK(world.run({"ls", "demo"}) == SUCCESS);
  CHECK(contains(world.out(), "2 commands"));
  // Announced, and due at once.
  world.supervisor.activity.pausesNanos = 1;
  CHECK(world.run({"ls", "demo"}) == SUCCESS);
  CHECK(contains(world.out(), "pauses in 0"));
}

TEST_CASE("a list says of which tier a workspace is, and what waits for its next start") {
  CommandTestWorld world;
  CHECK(world.run({"ls", "idle"}) == SUCCESS);
  CHECK(!contains(world.out(), "then"));
  CHECK(world.run({"ls", "demo"}) == SUCCESS);
  CHECK(contains(world.out(), "TIER"));
  CHECK(contains(world.out(), "pro"));
  CHECK(contains(world.out(), "512 MiB, then 2.0 GiB"));
  CHECK(world.run({"ls", "--json", "demo"}) == SUCCESS);
  CHECK(contains(world.out(), "\"tier\":\"pro\""));
}

}  // namespace
}  // namespace bothy
