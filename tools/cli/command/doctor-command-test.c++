#include <string.h>

#include <catch2/catch_test_macros.hpp>

#include "command/command-test-world.h"
#include "console/failure.h"

namespace bothy {
namespace {

TEST_CASE("S24 doctor shows each check with its verdict, and what to do below it") {
  CommandTestWorld world;
  CHECK(world.run({"doctor"}) == SUCCESS);
  CHECK(world.out() ==
        "NAME  VERDICT  FOUND\n"
        "fuse  ok       /dev/fuse\n"
        "swap  warn     not encrypted: /dev/sda\\x1b[m\n"
        "    swapoff \\x1b[m it\n");
  CHECK(world.errors() == "");
}

TEST_CASE("S24 doctor fails if something is refused, and shows it all the same") {
  CommandTestWorld world;
  world.supervisor.refusesHost = true;
  CHECK(world.run({"doctor"}) == FAILURE);
  CHECK(strstr(world.out().cStr(),
               "root  refuse   bothyd runs as user 1000\n    start it as root\n") != nullptr);
  CHECK(strstr(world.errors().cStr(), "bothyd will not start again") != nullptr);
}

TEST_CASE("S24 doctor --json holds all findings, refused or not") {
  CommandTestWorld world;
  world.supervisor.refusesHost = true;
  CHECK(world.run({"doctor", "--json"}) == FAILURE);
  auto text = world.out();
  CHECK(text.startsWith(
      "{\"findings\":[{\"name\":\"fuse\",\"verdict\":\"ok\",\"found\":\"/dev/fuse\""));
  CHECK(strstr(text.cStr(), "\"verdict\":\"refuse\"") != nullptr);
  CHECK(text.endsWith("}]}\n"));
  CHECK(world.errors() == "");
}

TEST_CASE("doctor takes no names") {
  CommandTestWorld world;
  CHECK(world.run({"doctor", "me"}) == WRONG_USAGE);
}

}  // namespace
}  // namespace bothy
