#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "command/command-test-world.h"
#include "console/failure.h"

namespace bothy {
namespace {

constexpr auto A_WHILE = 3 * kj::SECONDS;

TEST_CASE("up of a workspace that runs starts nothing, and starts what does not run") {
  CommandTestWorld world;
  CHECK(world.run({"up", "demo", "--", "exit", "7"}) == 7);
  CHECK(world.supervisor.starts == 0);
  world.supervisor.state = rpc::WorkspaceState::STOPPED;
  CHECK(world.run({"up", "demo", "--", "exit", "7"}) == 7);
  CHECK(world.supervisor.starts == 1);
}

TEST_CASE("up of a workspace that powers itself off meanwhile starts it again") {
  for (bool isCommand : {true, false}) {
    INFO("a command " << isCommand);
    CommandTestWorld world;
    // As bothyd has it: it runs, does not answer, and is stopped.
    world.supervisor.unreachable = true;
    if (isCommand) {
      world.start({"up", "demo", "--", "exit", "7"});
    } else {
      world.start({"up", "demo"});
    }
    world.settle();
    CHECK_FALSE(world.isDone());
    world.supervisor.unreachable = false;
    world.supervisor.state = rpc::WorkspaceState::STOPPED;
    world.advance(A_WHILE);
    world.settle();
    CHECK(world.supervisor.starts == 1);
    if (isCommand) {
      CHECK(world.wait() == 7);
    } else {
      CHECK(world.supervisor.terminal.opens == 1);
    }
  }
}

TEST_CASE("up sends all of its input to a workspace that it had to start again") {
  CommandTestWorld world;
  world.supervisor.unreachable = true;
  world.start({"up", "demo", "--", "cat"});
  world.type("typed before");
  world.supervisor.unreachable = false;
  world.supervisor.state = rpc::WorkspaceState::STOPPED;
  world.advance(A_WHILE);
  world.type(" and after");
  world.closeInput();
  CHECK(world.wait() == SUCCESS);
  CHECK(world.out() == "typed before and after");
}

TEST_CASE("P41 up does not start a workspace that was stopped under its command") {
  CommandTestWorld world;
  world.start({"up", "demo", "--", "sleep"});
  world.settle();
  world.supervisor.state = rpc::WorkspaceState::STOPPED;
  world.supervisor.breakLanes();
  world.advance(A_WHILE);
  CHECK(world.wait() == EXEC_FAILED);
  CHECK(world.supervisor.starts == 0);
  CHECK(contains(world.errors(), "demo is not running (stopped): `bothy start demo`"));
}

}  // namespace
}  // namespace bothy
