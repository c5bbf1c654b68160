#include <string.h>

#include <catch2/catch_test_macros.hpp>

#include "command/command-test-world.h"
#include "console/failure.h"

namespace bothy {
namespace {

size_t linesIn(kj::StringPtr text) {
  size_t count = 0;
  for (char c : text) count += c == '\n' ? 1 : 0;
  return count;
}

TEST_CASE("P58 events ends with the last that there was at the call, however long it takes") {
  CommandTestWorld world;
  world.supervisor.lastEvent = 3;
  world.start({"events"});
  world.supervisor.tellEvents(2);
  world.settle();
  world.advance(1 * kj::HOURS);
  CHECK_FALSE(world.isDone());
  // What happens meanwhile is not of it.
  world.supervisor.tellEvents(3);
  CHECK(world.wait() == SUCCESS);
  CHECK(linesIn(world.out()) == 3);
  CHECK(contains(world.out(), "(asked for by session 1 of eve\\x1b): it said"));
}

TEST_CASE("P58 events ends at once where nothing happened after the number given") {
  CommandTestWorld world;
  CHECK(world.run({"events"}) == SUCCESS);
  world.supervisor.lastEvent = 7;
  CHECK(world.run({"events", "--after", "7"}) == SUCCESS);
  CHECK(world.out() == "");
}

TEST_CASE("P58 a list of events that was cut is a failure") {
  CommandTestWorld world;
  world.supervisor.lastEvent = 3;
  world.start({"events"});
  world.supervisor.tellEvents(1);
  world.settle();
  world.supervisor.breakConnections();
  CHECK(world.wait() == FAILURE);
  CHECK(strstr(world.errors().cStr(), "the connection to bothyd was lost") != nullptr);
}

TEST_CASE(
    "P58 events of one workspace are a list without those of others, as whole as that of all") {
  struct Case {
    kj::StringPtr name;
    size_t lines;
  };
  for (auto [name, lines] : {Case{"demo"_kj, 2}, Case{"dem"_kj, 0}}) {
    INFO(name.cStr());
    CommandTestWorld world;
    world.supervisor.lastEvent = 2;
    world.start({"events", name});
    world.supervisor.tellEvents(1);
    world.settle();
    CHECK_FALSE(world.isDone());
    world.supervisor.tellEvents(1);
    CHECK(world.wait() == SUCCESS);
    CHECK(linesIn(world.out()) == lines);
  }
}

TEST_CASE("S08 events that are followed go on, escaped") {
  CommandTestWorld world;
  world.supervisor.lastEvent = 1;
  world.start({"events", "--follow"});
  world.supervisor.tellEvents(5);
  world.settle();
  CHECK_FALSE(world.isDone());
  CHECK(linesIn(world.out()) == 5);
  CHECK(strstr(world.out().cStr(), "it said \\x1b[m") != nullptr);
  world.signal(2);
  CHECK(world.wait() == SIGNAL_BASE + 2);
}

}  // namespace
}  // namespace bothy
