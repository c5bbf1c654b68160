#include <catch2/catch_test_macros.hpp>

#include "command/command-test-world.h"
#include "console/failure.h"

namespace bothy {
namespace {

TEST_CASE("capacity shows what is used, what is free and the most") {
  CommandTestWorld world;
  CHECK(world.run({"capacity"}) == SUCCESS);
  CHECK(contains(world.out(), "3.0 GiB"));
  CHECK(contains(world.out(), "30"));
  CHECK(contains(world.out(), "no limit"));
  CHECK(contains(world.out(), "The host's disk has 50 GiB free, of which 256 MiB stay free."));
  CHECK(world.run({"capacity", "--json"}) == SUCCESS);
  CHECK(contains(world.out(), "\"memory\":{\"usedMib\":\"1024\",\"mostMib\":\"4096\"}"));
}

TEST_CASE("P53 what does not fit is told with what is short") {
  CommandTestWorld world;
  world.supervisor.isFull = true;
  const kj::StringPtr why = "bothy: demo: the host has too little memory left: evil\\x1b[2J\n";
  CHECK(world.run({"create", "demo"}) == FAILURE);
  CHECK(contains(world.errors(), why));
  CHECK(world.run({"start", "demo"}) == FAILURE);
  CHECK(contains(world.errors(), why));
  CHECK(world.run({"resize", "demo", "--disk", "20G"}) == FAILURE);
  CHECK(contains(world.errors(), why));
}

}  // namespace
}  // namespace bothy
