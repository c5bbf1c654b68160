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
  CHECK(contains(world.out(), "50 MiB/s, 2000/s"));
  CHECK(contains(world.out(), "WHEN NOBODY USES IT  free   pro"));
  CHECK(contains(world.out(), "pause-after          30m    2h"));
  CHECK(contains(world.out(), "expire-after         30d    never"));
  CHECK(contains(world.out(), "count-input          yes    no"));
  CHECK(world.run({"tier", "ls", "--json"}) == SUCCESS);
  CHECK(contains(world.out(), "{\"name\":\"pro\",\"cpus\":2,\"memoryMib\":2048"));
}

TEST_CASE("tier says which actions there are") {
  CommandTestWorld world;
  CHECK(world.run({"tier", "show"}) == WRONG_USAGE);
  CHECK(contains(world.errors(), "there is no action show, only ls and set"));
  CHECK(world.run({"tier"}) == WRONG_USAGE);
  CHECK(contains(world.errors(), "ACTION is missing"));
  CHECK(world.run({"tier", "set"}) == WRONG_USAGE);
  CHECK(contains(world.errors(), "NAME is missing"));
  CHECK(world.run({"tier", "set", "demo"}) == WRONG_USAGE);
  CHECK(contains(world.errors(), "TIER is missing"));
  CHECK(world.run({"tier", "ls", "demo"}) == WRONG_USAGE);
}

TEST_CASE("P53 tier set says what changes and when, and with --dry-run changes nothing") {
  CommandTestWorld world;
  CHECK(world.run({"tier", "set", "--dry-run", "demo", "pro"}) == SUCCESS);
  CHECK(contains(world.out(), "memory      512 MiB  2.0 GiB  at the next start"));
  CHECK(contains(world.out(), "sessions    1        3        at once"));
  CHECK(contains(world.errors(),
                 "nothing was changed: without --dry-run the tier of demo would be pro"));
  CHECK(world.run({"tier", "set", "demo", "pro"}) == SUCCESS);
  CHECK(contains(world.errors(), "the tier of demo is pro"));
  CHECK(world.run({"tier", "set", "--json", "demo", "pro"}) == SUCCESS);
  CHECK(contains(world.out(), "\"when\":\"nextStart\""));
}

TEST_CASE("tier set tells why it was refused, and what to do") {
  CommandTestWorld world;
  SECTION("a smaller disk") {
    CHECK(world.run({"tier", "set", "demo", "free"}) == FAILURE);
    CHECK(contains(world.out(), "disk  10 GiB  2.0 GiB  never: a disk does not shrink"));
    CHECK(contains(world.errors(), "bothy: demo: a disk never shrinks\\x1b (--keep-disk)"));
    CHECK(world.run({"tier", "set", "--keep-disk", "demo", "free"}) == SUCCESS);
  }
  SECTION("no such tier") {
    CHECK(world.run({"tier", "set", "demo", "gold"}) == FAILURE);
    CHECK(contains(world.errors(), "bothy: tier is 'gold': it must be one of free, pro"));
  }
  SECTION("there is none") {
    CHECK(world.run({"tier", "set", "other", "pro"}) == FAILURE);
    CHECK(contains(world.errors(), "there is no workspace other"));
  }
  SECTION("no room") {
    world.supervisor.isFull = true;
    CHECK(world.run({"tier", "set", "demo", "pro"}) == FAILURE);
    CHECK(contains(world.errors(), "demo: the host has too little memory left"));
  }
}

}  // namespace
}  // namespace bothy
