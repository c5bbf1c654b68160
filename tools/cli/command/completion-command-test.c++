#include <string.h>

#include <catch2/catch_test_macros.hpp>

#include "command/command-test-world.h"
#include "console/failure.h"

namespace bothy {
namespace {

// The words that are offered for the last of `words`.
kj::String offered(std::initializer_list<kj::StringPtr> words, bool down = false) {
  CommandTestWorld world;
  world.supervisor.down = down;
  kj::Vector<kj::StringPtr> arguments;
  arguments.add("completion"_kj);
  arguments.add("--"_kj);
  for (auto word : words) arguments.add(word);
  CHECK(world.run(arguments.asPtr()) == SUCCESS);
  CHECK(world.errors() == "");
  auto text = world.out();
  kj::Vector<kj::String> result;
  auto rest = kj::StringPtr(text);
  while (rest.size() > 0) {
    auto end = KJ_ASSERT_NONNULL(rest.findFirst('\n'));
    auto line = rest.slice(0, end);
    size_t length = 0;
    while (length < line.size() && line[length] != '\t') ++length;
    result.add(length == 0 ? kj::str(line.slice(1, line.size())) : kj::str(line.slice(0, length)));
    rest = rest.slice(end + 1);
  }
  return kj::strArray(result, " ");
}

TEST_CASE("commands are offered, and their options") {
  CHECK(offered({"st"}) == "start stop");
  CHECK(offered({"--j"}) == "--json");
  CHECK(offered({"--json", "ev"}) == "events");
  CHECK(offered({"events", "--f"}) == "--follow");
  CHECK(offered({"help", "exe"}) == "exec");
  CHECK(offered({"nothing", ""}) == "");
}

TEST_CASE("names of workspaces are offered where one is wanted") {
  CHECK(offered({"exec", ""}) == "demo idle");
  CHECK(offered({"rm", "demo", "i"}) == "idle");
  CHECK(offered({"exec", "demo", ""}) == "");
  CHECK(offered({"cp", ""}) == "demo: idle: :files");
  CHECK(offered({"cp", "demo:/etc/pa"}) == "");
}

TEST_CASE("values are offered") {
  CHECK(offered({"create", "--memory", "5"}) == "512M 50G");
  CHECK(offered({"create", "--memory=5"}) == "--memory=512M --memory=50G");
  CHECK(offered({"completion", ""}) == "bash zsh fish");
  CHECK(offered({"--socket", ""}) == ":files");
}

TEST_CASE("a bothyd that does not answer offers no names, without a word") {
  CHECK(offered({"exec", ""}, true) == "");
}

TEST_CASE("there is a script for each shell, and for no other") {
  for (auto shell : {"bash"_kj, "zsh"_kj, "fish"_kj}) {
    CommandTestWorld world;
    CHECK(world.run({"completion", shell}) == SUCCESS);
    CHECK(strstr(world.out().cStr(), "completion --") != nullptr);
  }
  CommandTestWorld world;
  CHECK(world.run({"completion", "tcsh"}) == WRONG_USAGE);
  CHECK(world.run({"completion"}) == WRONG_USAGE);
}

}  // namespace
}  // namespace bothy
