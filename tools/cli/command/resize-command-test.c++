#include <string.h>

#include <catch2/catch_test_macros.hpp>

#include "command/command-test-world.h"
#include "console/failure.h"

namespace bothy {
namespace {

bool says(kj::StringPtr text, const char* part) {
  return strstr(text.cStr(), part) != nullptr;
}

TEST_CASE("resize says how large the disk is and when that counts") {
  CommandTestWorld world;
  CHECK(world.run({"resize", "demo", "--disk", "20G"}) == SUCCESS);
  CHECK(says(world.errors(), "the disk of demo has 20 GiB from its next start on"));
}

TEST_CASE("resize --json prints the workspace") {
  CommandTestWorld world;
  CHECK(world.run({"resize", "--json", "demo", "--disk", "5000"}) == SUCCESS);
  CHECK(says(world.out(), "\"diskMib\":5000"));
}

TEST_CASE("resize tells why it was refused, and what to do") {
  CommandTestWorld world;
  SECTION("no size") {
    CHECK(world.run({"resize", "demo"}) == WRONG_USAGE);
    CHECK(says(world.errors(), "--disk SIZE is missing"));
  }
  SECTION("no such size") {
    CHECK(world.run({"resize", "demo", "--disk", "much"}) == WRONG_USAGE);
    CHECK(says(world.errors(), "--disk wants a size like 512M or 4G, not much"));
  }
  SECTION("smaller") {
    CHECK(world.run({"resize", "demo", "--disk", "1G"}) == FAILURE);
    CHECK(says(world.errors(), "--disk is too small"));
  }
  SECTION("it runs") {
    CHECK(world.run({"resize", "busy", "--disk", "20G"}) == FAILURE);
    CHECK(says(world.errors(), "busy is running: `bothy stop busy` first"));
  }
  SECTION("it has expired, and has no disk") {
    CHECK(world.run({"resize", "expired", "--disk", "20G"}) == FAILURE);
    CHECK(says(world.errors(), "expired has expired: `bothy start expired` makes it anew"));
  }
  SECTION("a host that cannot hold it, and whose words are escaped") {
    CHECK(world.run({"resize", "demo", "--disk", "2T"}) == FAILURE);
    CHECK(world.errors() == "bothy: the disk of demo is as it was: evil\\x1b[2J\n");
  }
  SECTION("there is none") {
    CHECK(world.run({"resize", "other", "--disk", "20G"}) == FAILURE);
    CHECK(says(world.errors(), "there is no workspace other"));
  }
}

}  // namespace
}  // namespace bothy
