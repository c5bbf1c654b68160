#include "command/command.h"

#include <string.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "command/command-test-world.h"
#include "console/failure.h"

namespace bothy {
namespace {

bool contains(kj::StringPtr text, kj::StringPtr part) {
  return strstr(text.cStr(), part.cStr()) != nullptr;
}

TEST_CASE("every command has a help text that begins with its usage") {
  for (auto& command : commands()) {
    CommandTestWorld world;
    INFO(command.name.cStr());
    CHECK(world.run({command.name, "--help"}) == SUCCESS);
    CHECK(world.out().startsWith(kj::str("Usage: bothy ", command.name)));
    CHECK(world.errors() == "");
    CHECK(world.supervisor.connections == 0);
  }
}

TEST_CASE("wrong usage exits with 2 and says where to look") {
  CommandTestWorld world;
  CHECK(world.run({}) == WRONG_USAGE);
  CHECK(world.run({"frobnicate"}) == WRONG_USAGE);
  CHECK(world.run({"ls", "--frob"}) == WRONG_USAGE);
  CHECK(world.run({"exec", "demo"}) == WRONG_USAGE);
  CHECK(world.run({"create", "--memory", "much", "x"}) == WRONG_USAGE);
  CHECK(world.run({"stop", "--grace", "11m", "demo"}) == WRONG_USAGE);
  CHECK(contains(world.errors(), "see `bothy stop --help`"));
}

TEST_CASE("without a supervisor every command says what to do") {
  CommandTestWorld world;
  world.supervisor.down = true;
  CHECK(world.run({"ls"}) == FAILURE);
  CHECK(contains(world.errors(), "bothy: bothyd is not running at"));
}

TEST_CASE("with --json a failure is a value on standard output") {
  CommandTestWorld world;
  CHECK(world.run({"start", "--json", "nowhere"}) == FAILURE);
  CHECK(world.out().startsWith("{\"error\":\""));
  CHECK(world.errors() == "");
}

TEST_CASE("S08 ls shows what a guest said escaped") {
  CommandTestWorld world;
  CHECK(world.run({"ls"}) == SUCCESS);
  auto text = world.out();
  CHECK(contains(text, "demo  running"));
  CHECK(contains(text, "512 MiB"));
  CHECK(contains(text, "it said \\x1b]0;x\\x07"));
  CHECK_FALSE(contains(text, "\x1b"));
}

TEST_CASE("S08 ls --json is ASCII") {
  CommandTestWorld world;
  CHECK(world.run({"--json", "ls"}) == SUCCESS);
  CHECK(world.out().startsWith("[{\"spec\":{\"name\":\"demo\""));
  CHECK(contains(world.out(), "it said \\u001b]0;x\\u0007"));
}

TEST_CASE("create shows the stages and then says what to do next") {
  CommandTestWorld world;
  CHECK(world.run({"create", "new", "--memory", "1G"}) == SUCCESS);
  auto errors = world.errors();
  CHECK(contains(errors, "bothy: creating the disk\nbothy: booting\n"));
  CHECK(contains(errors, "`bothy shell new`"));
}

TEST_CASE("create with --json prints the workspace and nothing else") {
  CommandTestWorld world;
  CHECK(world.run({"create", "new", "--json", "--memory", "1G"}) == SUCCESS);
  CHECK(contains(world.out(), "\"memoryMib\":1024"));
  CHECK(world.errors() == "");
}

TEST_CASE("S08 a start that failed shows its stage, reason and the console's end, escaped") {
  CommandTestWorld world;
  world.supervisor.startFailure = kj::str("panic\x1b[m");
  CHECK(world.run({"create", "new"}) == FAILURE);
  auto errors = world.errors();
  CHECK(contains(errors, "line one\n\\x1b[31mline two\n"));
  CHECK(contains(errors, "did not start, while booting: panic\\x1b[m"));
  CHECK_FALSE(contains(errors, "\x1b"));
}

TEST_CASE("create of a name that is taken is a failure") {
  CommandTestWorld world;
  CHECK(world.run({"create", "demo"}) == FAILURE);
  CHECK(contains(world.errors(), "there is a workspace demo already (running)"));
}

TEST_CASE("stop says whether the machine ended in order or by force") {
  CommandTestWorld world;
  CHECK(world.run({"stop", "demo"}) == SUCCESS);
  CHECK(contains(world.errors(), "powered off in order"));
  CHECK(world.run({"stop", "--force", "demo"}) == SUCCESS);
  CHECK(contains(world.errors(), "stopped by force"));
  CHECK(world.run({"stop", "--json", "demo"}) == SUCCESS);
  CHECK(world.out() == "{\"stopped\":\"orderly\"}\n");
}

TEST_CASE("rm refuses a running workspace without --force") {
  CommandTestWorld world;
  CHECK(world.run({"rm", "demo"}) == FAILURE);
  CHECK(contains(world.errors(), "bothy rm -f demo"));
  CHECK(world.run({"rm", "-f", "demo"}) == SUCCESS);
  CHECK(world.run({"rm", "idle"}) == SUCCESS);
}

TEST_CASE("version tells that TCG isolates nobody") {
  CommandTestWorld world;
  CHECK(world.run({"version"}) == SUCCESS);
  CHECK(contains(world.out(), "no isolation"));
  CHECK(world.run({"--json", "version"}) == SUCCESS);
  CHECK(contains(world.out(), "\"accelerator\":\"tcg\""));
}

}  // namespace
}  // namespace bothy
