// Commands whose workspace is paused.

#include <string.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "command/terminal-test-world.h"
#include "console/failure.h"

namespace bothy {
namespace {

// Its lanes end first, as bothyd has it.
void pause(AtTerminal& world) {
  world.supervisor.state = rpc::WorkspaceState::PAUSED;
  world.supervisor.laneEnd = rpc::LaneEnd::PAUSED;
  world.supervisor.breakLanes();
  world.settle();
  world.advance(1 * kj::SECONDS);
}

TEST_CASE(
    "P58 a terminal whose workspace is paused says so once, and a key wakes it, with no byte "
    "lost") {
  AtTerminal world;
  world.interactive = true;
  world.start({"shell", "demo"});
  world.show("one ");
  pause(world);
  CHECK(contains(world.errors(), "[bothy: demo is paused; press a key to wake it]"));
  CHECK_FALSE(contains(world.errors(), "the connection was lost"));
  const auto asked = world.supervisor.connections;
  for (int i = 0; i < 50; i++) world.advance(1 * kj::HOURS);
  // Nobody asks again and again, and nothing is woken by time.
  CHECK(world.supervisor.connections == asked);
  CHECK(world.supervisor.wakes == 0);
  CHECK_FALSE(world.isDone());

  world.supervisor.terminal.output = kj::str("one two ");
  world.type("k");
  world.advance(1 * kj::SECONDS);
  CHECK(world.supervisor.wakes == 1);
  CHECK(world.typed() == "k");
  CHECK(world.out() == "one two ");
  CHECK(contains(world.errors(), "[bothy: connected again]"));
  // Once more, after what was typed while it ran.
  world.type("more");
  pause(world);
  CHECK(world.supervisor.wakes == 1);
  world.type("!");
  world.advance(10 * kj::SECONDS);
  CHECK(world.supervisor.wakes == 2);
  CHECK(world.typed() == "kmore!");
  world.exit(5);
  CHECK(world.wait() == 5);
}

TEST_CASE("P58 a terminal goes on when somebody else resumes its workspace") {
  AtTerminal world;
  world.interactive = true;
  world.start({"shell", "demo"});
  world.show("one ");
  pause(world);
  world.advance(5 * kj::HOURS);
  world.supervisor.state = nullptr;
  world.supervisor.tellResumed();
  world.settle();
  world.show("two");
  world.exit(0);
  CHECK(world.wait() == SUCCESS);
  CHECK(world.out() == "one two");
  CHECK(world.supervisor.wakes == 0);
}

TEST_CASE("P58 a new shell wakes a paused workspace, and one that only looks wakes none later") {
  AtTerminal world;
  world.interactive = true;
  world.supervisor.state = rpc::WorkspaceState::PAUSED;
  world.start({"shell", "demo", "--attach", "7", "--view"});
  world.settle();
  CHECK(world.supervisor.wakes == 1);
  pause(world);
  CHECK(contains(world.errors(), "demo is paused; `bothy resume demo` wakes it"));
  world.type("k");
  world.advance(1 * kj::MINUTES);
  CHECK(world.supervisor.wakes == 1);
}

TEST_CASE(
    "P58 exec whose workspace is paused waits for as long as that takes and wakes it for nothing") {
  CommandTestWorld world;
  world.start({"exec", "demo", "cat"});
  world.type("one ");
  world.advance(1 * kj::SECONDS);
  world.supervisor.state = rpc::WorkspaceState::PAUSED;
  world.supervisor.laneEnd = rpc::LaneEnd::PAUSED;
  world.supervisor.breakLanes();
  world.settle();
  world.type("two ");
  for (int i = 0; i < 50; i++) world.advance(1 * kj::HOURS);
  CHECK_FALSE(world.isDone());
  CHECK(world.supervisor.wakes == 0);
  CHECK(world.errors() == "bothy: demo is paused; `bothy resume demo` wakes it\n");

  world.supervisor.state = nullptr;
  world.supervisor.tellResumed();
  world.settle();
  world.closeInput();
  for (int i = 0; i < 100 && !world.isDone(); ++i) world.advance(100 * kj::MILLISECONDS);
  CHECK(world.wait() == SUCCESS);
  CHECK(world.out() == "one two ");
  CHECK(world.supervisor.program.starts == 1);
  CHECK(world.supervisor.wakes == 0);
}

TEST_CASE("P58 a new command wakes a paused workspace") {
  CommandTestWorld world;
  world.supervisor.state = rpc::WorkspaceState::PAUSED;
  world.closeInput();
  CHECK(world.run({"exec", "demo", "cat"}) == SUCCESS);
  CHECK(world.supervisor.wakes == 1);
}

}  // namespace
}  // namespace bothy
