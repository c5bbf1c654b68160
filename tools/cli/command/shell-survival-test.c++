// Shells whose connection is lost, or is not there yet.

#include <signal.h>
#include <string.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "command/terminal-test-world.h"
#include "console/failure.h"

namespace bothy {
namespace {

TEST_CASE("P01 P02 a supervisor that is killed is not noticed at a terminal") {
  AtTerminal world;
  world.interactive = true;
  world.start({"shell", "demo"});
  world.show("one ");
  auto told = world.errors();
  world.supervisor.down = true;
  world.supervisor.breakSupervisor();
  world.settle();
  world.type("typed meanwhile");
  CHECK(world.typed() == "typed meanwhile");
  world.show("two ");
  world.resize(90, 20);
  CHECK(world.supervisor.terminal.size == "90x20");
  for (int i = 0; i < 100; i++) world.advance(1 * kj::MINUTES);
  CHECK_FALSE(world.isDone());
  world.supervisor.down = false;
  world.advance(1 * kj::MINUTES);
  world.show("three");
  world.exit(5);
  CHECK(world.wait() == 5);
  CHECK(world.out() == "one two three");
  CHECK(world.errors().startsWith(told));
  CHECK_FALSE(contains(world.errors(), "[bothy: "));
  CHECK(world.supervisor.connections == 1);
  CHECK(world.supervisor.terminal.attachments == 1);
}

TEST_CASE("P01 P02 a lane that breaks while bothyd is away costs no byte and doubles none") {
  AtTerminal world;
  world.interactive = true;
  world.start({"shell", "demo"});
  world.show("one ");
  world.supervisor.breakConnections();
  world.supervisor.down = true;
  world.settle();
  world.supervisor.terminal.output = kj::str("one two ");
  world.type("typed meanwhile");
  world.advance(5 * kj::SECONDS);
  CHECK_FALSE(world.isDone());
  CHECK(contains(world.errors(), "the connection was lost"));

  world.supervisor.down = false;
  world.resize(90, 20);
  world.advance(5 * kj::SECONDS);
  CHECK(world.out() == "one two ");
  CHECK(world.supervisor.terminal.size == "90x20");
  CHECK(world.supervisor.terminal.attachments == 2);
  CHECK(world.typed() == "typed meanwhile");
  world.show("three");
  world.exit(5);
  CHECK(world.wait() == 5);
  CHECK(world.out() == "one two three");
}

TEST_CASE(
    "P02 what was typed and not answered when a lane broke is told, and what followed is sent") {
  constexpr size_t IN_DOUBT = 4096;
  AtTerminal world;
  world.interactive = true;
  world.start({"shell", "demo"});
  world.type("one");
  world.supervisor.breakLanes();
  world.advance(1 * kj::SECONDS);
  CHECK(contains(world.errors(), "[bothy: connected again]"));

  world.supervisor.terminal.takesNothing = true;
  world.type(kj::strArray(kj::repeat("x"_kj, 2 * IN_DOUBT), ""));
  world.type("last");
  world.supervisor.breakLanes();
  world.supervisor.terminal.takesNothing = false;
  // A second loss so soon after the first is followed by a pause.
  world.settle();
  world.advance(1 * kj::SECONDS);
  CHECK(contains(world.errors(),
                 "[bothy: connected again; what was typed last (4.0 KiB) may be lost]"));
  CHECK(world.typed() == kj::str("one", kj::strArray(kj::repeat("x"_kj, IN_DOUBT), ""), "last"));

  world.supervisor.breakLanes();
  world.settle();
  world.advance(1 * kj::SECONDS);
  CHECK(world.errors().endsWith("[bothy: connected again]\x1b[0m\r\n"));
  world.exit(0);
  CHECK(world.wait() == SUCCESS);
}

TEST_CASE("P02 what is pasted while there is no lane arrives whole") {
  constexpr size_t BYTES = 1 << 20;
  AtTerminal world;
  world.interactive = true;
  world.start({"shell", "demo"});
  world.supervisor.breakLanes();
  world.settle();
  world.type(kj::strArray(kj::repeat("0123456789abcdef"_kj, BYTES / 16), ""));
  world.advance(1 * kj::SECONDS);
  for (int i = 0; i < 10; ++i) world.advance(1 * kj::SECONDS);
  INFO(world.errors().cStr());
  CHECK(world.supervisor.terminal.input.size() == BYTES);
  world.exit(0);
  CHECK(world.wait() == SUCCESS);
}

TEST_CASE("P41 a shell waits for a workspace that has too many lanes, and opens one terminal") {
  AtTerminal world;
  world.interactive = true;
  world.supervisor.refusal = rpc::Refusal::TOO_MANY_LANES;
  world.start({"shell", "demo"});
  world.advance(3 * kj::SECONDS);
  CHECK_FALSE(world.isDone());
  world.supervisor.refusal = nullptr;
  world.advance(5 * kj::SECONDS);
  world.show("$ ");
  CHECK(world.out() == "$ ");
  CHECK(world.supervisor.terminal.attachments == 1);
  world.exit(0);
  CHECK(world.wait() == SUCCESS);
}

TEST_CASE("P41 a shell waits for a bothyd that is just away, and opens one terminal") {
  AtTerminal world;
  world.interactive = true;
  world.supervisor.down = true;
  world.start({"shell", "demo"});
  world.advance(3 * kj::SECONDS);
  CHECK_FALSE(world.isDone());
  CHECK(contains(world.errors(), "bothyd is not running: waiting 15 s for it"));
  world.supervisor.down = false;
  world.advance(5 * kj::SECONDS);
  world.show("$ ");
  CHECK(world.out() == "$ ");
  CHECK(world.supervisor.terminal.attachments == 1);
  world.exit(0);
  CHECK(world.wait() == SUCCESS);
}

TEST_CASE("a signal ends a shell that waits for bothyd") {
  AtTerminal world;
  world.interactive = true;
  world.supervisor.down = true;
  world.start({"shell", "demo"});
  world.advance(3 * kj::SECONDS);
  world.signal(SIGINT);
  CHECK(world.wait() == 128 + SIGINT);
}

TEST_CASE("P30 a terminal of a machine that stands still says why, waits, and goes on") {
  AtTerminal world;
  world.interactive = true;
  world.start({"shell", "demo"});
  world.show("one ");
  world.supervisor.stalled = kj::str("the disk is full");
  world.supervisor.laneEnd = rpc::LaneEnd::STALLED;
  world.supervisor.breakLanes();
  world.settle();
  world.supervisor.terminal.output = kj::str("one two ");
  for (int i = 0; i < 20; i++) world.advance(1 * kj::MINUTES);
  CHECK_FALSE(world.isDone());
  auto told = world.errors();
  CHECK(contains(told, "the disk is full"));
  // Once.
  CHECK_FALSE(contains(strstr(told.cStr(), "the disk is full") + 1, "the disk is full"));

  world.supervisor.stalled = nullptr;
  world.advance(5 * kj::SECONDS);
  CHECK(world.out() == "one two ");
  world.exit(0);
  CHECK(world.wait() == SUCCESS);
}

TEST_CASE("P09 a terminal says why its lane ended") {
  AtTerminal world;
  world.interactive = true;
  world.start({"shell", "demo"});
  world.show("one ");
  world.supervisor.laneEnd = rpc::LaneEnd::AGENT_GONE;
  world.supervisor.breakLanes();
  world.advance(5 * kj::SECONDS);
  CHECK(contains(world.errors(), "the agent of demo has closed the connection"));
  CHECK(contains(world.errors(), "[bothy: connected again]"));
  world.exit(0);
  CHECK(world.wait() == SUCCESS);
}

TEST_CASE("P01 output that the scrollback lost meanwhile is told with its size") {
  AtTerminal world;
  world.interactive = true;
  world.start({"shell", "demo"});
  world.show("12345");
  world.supervisor.breakLanes();
  world.supervisor.terminal.output = kj::str("1234567890");
  world.supervisor.terminal.oldest = 8;
  world.advance(kj::SECONDS);
  world.settle();
  // Told where it was, and then the screen is right.
  CHECK(world.out().startsWith("12345\r\n\x1b[2m[bothy: 5 B of output were lost here]\x1b[0m\r\n"));
  CHECK(world.out().endsWith("SCREEN"));
  world.show("more");
  CHECK(world.out().endsWith("SCREENmore"));
  world.exit(0);
  CHECK(world.wait() == SUCCESS);
}

TEST_CASE("P02 a shell is given no terminal of another boot, and says what became of its own") {
  AtTerminal world;
  world.interactive = true;
  world.start({"shell", "demo"});
  world.supervisor.startedNanos = 2;
  world.supervisor.terminal.output = kj::str("a stranger's");
  world.supervisor.breakLanes();
  world.advance(1 * kj::SECONDS);
  REQUIRE(world.isDone());
  CHECK(world.wait() == EXEC_FAILED);
  CHECK(world.out() == "");
  CHECK(contains(world.errors(), "demo was started anew: terminal 7 ended with it"));
}

TEST_CASE("a shell tells that its terminal ended while the connection was lost") {
  AtTerminal world;
  world.interactive = true;
  world.start({"shell", "demo"});
  world.supervisor.terminal.isAbsent = true;
  world.supervisor.breakLanes();
  world.advance(1 * kj::SECONDS);
  REQUIRE(world.isDone());
  CHECK(world.wait() == EXEC_FAILED);
  CHECK(contains(world.errors(), "terminal 7 ended while the connection was lost"));
}

TEST_CASE("detaching works while the connection is lost") {
  AtTerminal world;
  world.interactive = true;
  world.start({"shell", "demo"});
  world.supervisor.down = true;
  world.supervisor.breakConnections();
  world.settle();
  world.type("\x1d.");
  CHECK(world.wait() == SUCCESS);
  CHECK_FALSE(world.rawMode);
}

}  // namespace
}  // namespace bothy
