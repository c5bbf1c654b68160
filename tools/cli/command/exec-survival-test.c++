// `bothy exec` when lanes break, bothyd restarts or is away, or its caller goes.

#include <signal.h>
#include <string.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "command/command-test-world.h"
#include "console/failure.h"

namespace bothy {
namespace {

// Lets time pass until the command has ended; its exit code.
int waitThrough(CommandTestWorld& world) {
  for (int i = 0; i < 1000 && !world.isDone(); ++i) world.advance(100 * kj::MILLISECONDS);
  REQUIRE(world.isDone());
  return world.wait();
}

// Calls `run` with every choice of messages after which two lanes in a row break, or one.
void cutEverywhere(kj::FunctionParam<void(CommandTestWorld& world)> run) {
  constexpr kj::uint NEVER = 1 << 20;
  bool wasWhole = false;
  for (kj::uint first = 0; !wasWhole; ++first) {
    REQUIRE(first < 100);
    bool secondWasWhole = false;
    for (kj::uint second = 0; !secondWasWhole && !wasWhole; ++second) {
      REQUIRE(second < 100);
      INFO("lanes cut after " << first << " and " << second << " messages");
      CommandTestWorld world;
      world.supervisor.cuts.add(first);
      world.supervisor.cuts.add(second);
      world.supervisor.cuts.add(NEVER);
      run(world);
      CHECK(world.supervisor.program.starts == 1);
      wasWhole = world.supervisor.lanes == 1;
      secondWasWhole = world.supervisor.lanes == 2;
    }
  }
}

TEST_CASE("P41 wherever lanes break, exec starts once, and no byte is lost or doubled") {
  cutEverywhere([](CommandTestWorld& world) {
    world.start({"exec", "demo", "cat"});
    world.type("one ");
    world.advance(50 * kj::MILLISECONDS);
    world.type("two ");
    world.advance(1 * kj::SECONDS);
    world.type("three");
    world.closeInput();
    CHECK(waitThrough(world) == SUCCESS);
    CHECK(world.out() == "one two three");
    CHECK(world.supervisor.program.input == "one two three");
    CHECK(world.errors() == "");
  });
}

TEST_CASE("P41 wherever lanes break, both outputs and the exit code of exec are whole") {
  cutEverywhere([](CommandTestWorld& world) {
    world.start({"exec", "-n", "demo", "talk"});
    CHECK(waitThrough(world) == SUCCESS);
    CHECK(world.out() == "to output\n");
    CHECK(world.errors() == "to errors \xff\n");
  });
  cutEverywhere([](CommandTestWorld& world) {
    world.start({"exec", "--json", "demo", "exit", "3"});
    CHECK(waitThrough(world) == 3);
    CHECK(world.out() == "{\"exited\":3,\"stdout\":\"\",\"stderr\":\"\"}\n");
  });
}

TEST_CASE("P41 wherever bothyd is killed, exec starts once, and notices it only without a lane") {
  bool wasWhole = false;
  kj::uint unnoticed = 0;
  for (kj::uint messages = 0; !wasWhole; ++messages) {
    REQUIRE(messages < 100);
    INFO("bothyd is killed after " << messages << " messages");
    CommandTestWorld world;
    world.supervisor.supervisorCuts.add(messages);
    world.start({"exec", "demo", "cat"});
    world.type("one ");
    world.advance(1 * kj::SECONDS);
    world.type("two");
    world.closeInput();
    CHECK(waitThrough(world) == SUCCESS);
    CHECK(world.out() == "one two");
    CHECK(world.errors() == "");
    CHECK(world.supervisor.program.starts == 1);
    wasWhole = world.supervisor.kills == 0;
    bool isUnnoticed = world.supervisor.connections == 1;
    CHECK((isUnnoticed || unnoticed == 0));
    if (isUnnoticed && !wasWhole) ++unnoticed;
  }
  CHECK(unnoticed > 0);
}

TEST_CASE("P41 exec does not notice that bothyd restarts") {
  CommandTestWorld world;
  world.start({"exec", "demo", "cat"});
  world.type("one ");
  world.supervisor.down = true;
  world.supervisor.breakSupervisor();
  world.settle();
  world.type("two ");
  CHECK(world.out() == "one two ");
  for (int i = 0; i < 100; ++i) world.advance(1 * kj::MINUTES);
  world.type("three");
  world.supervisor.down = false;
  world.advance(1 * kj::MINUTES);
  world.closeInput();
  CHECK(world.wait() == SUCCESS);
  CHECK(world.out() == "one two three");
  CHECK(world.errors() == "");
  CHECK(world.supervisor.connections == 1);
  CHECK(world.supervisor.lanes == 1);
}

TEST_CASE("P41 exec waits for a workspace that has too many lanes") {
  CommandTestWorld world;
  world.supervisor.refusal = rpc::Refusal::TOO_MANY_LANES;
  world.start({"exec", "demo", "cat"});
  world.type("typed meanwhile");
  world.closeInput();
  world.advance(3 * kj::SECONDS);
  CHECK_FALSE(world.isDone());
  CHECK(world.supervisor.lanes > 1);
  world.supervisor.refusal = nullptr;
  // It asked for nothing in the boot that refused: this one is as good.
  world.supervisor.startedNanos = 2;
  CHECK(waitThrough(world) == SUCCESS);
  CHECK(world.out() == "typed meanwhile");
  CHECK(contains(world.errors(), "; waiting up to 60 s"));
  CHECK(world.supervisor.program.starts == 1);
}

TEST_CASE("exec tells a workspace that has too many lanes for too long") {
  CommandTestWorld world;
  world.supervisor.refusal = rpc::Refusal::TOO_MANY_LANES;
  world.start({"exec", "demo", "exit", "3"});
  CHECK(waitThrough(world) == EXEC_FAILED);
  CHECK(
      contains(world.errors(),
               "too many connections to demo are open (at most 32, 16 of one user, the last 8 for "
               "users who have none)"));
  CHECK(contains(world.errors(), "; waiting up to 60 s"));
}

TEST_CASE("exec tells an agent of another generation at once, and what to do") {
  CommandTestWorld world;
  world.supervisor.refusal = rpc::Refusal::GENERATION_TOO_OLD;
  CHECK(world.run({"exec", "demo", "exit", "3"}) == EXEC_FAILED);
  CHECK(contains(world.errors(), "`bothy stop demo && bothy start demo`"));
  world.supervisor.refusal = nullptr;
  world.supervisor.agentTooOld = uint16_t{1};
  CHECK(world.run({"exec", "demo", "exit", "3"}) == EXEC_FAILED);
  CHECK(contains(world.errors(), "too old for this (generation 1): `bothy stop demo && bothy"));
  CHECK(world.supervisor.lanes == 1);
}

TEST_CASE("exec asks again for a lane whose descriptor did not come") {
  CommandTestWorld world;
  world.supervisor.lostDescriptors = 2;
  world.start({"exec", "demo", "exit", "3"});
  CHECK(waitThrough(world) == 3);
  CHECK(world.supervisor.lanes == 3);
}

TEST_CASE("P41 exec starts nothing a second time in a machine that was started anew") {
  CommandTestWorld world;
  world.supervisor.program.neverStarts = true;
  world.start({"exec", "demo", "sleep"});
  world.supervisor.breakLanes();
  world.supervisor.startedNanos = 2;
  CHECK(waitThrough(world) == EXEC_FAILED);
  CHECK(world.supervisor.program.starts == 1);
  CHECK(contains(world.errors(), "it was started anew"));
}

TEST_CASE("exec says that a program is gone that it has asked for before") {
  CommandTestWorld world;
  world.supervisor.program.neverStarts = true;
  world.start({"exec", "demo", "sleep"});
  world.supervisor.program.forgotten = true;
  world.supervisor.breakLanes();
  CHECK(waitThrough(world) == EXEC_FAILED);
  CHECK(contains(world.errors(), "how far it came is not known"));
}

TEST_CASE("P12 exec asks again for a start that is not answered, and gives up in the end") {
  CommandTestWorld world;
  world.supervisor.program.neverStarts = true;
  world.start({"exec", "demo", "sleep"});
  CHECK(waitThrough(world) == EXEC_FAILED);
  CHECK(world.supervisor.lanes > 1);
  CHECK(contains(world.errors(), "demo did not answer in time"));
  CHECK(world.supervisor.program.starts == 1);
}

TEST_CASE("P41 exec waits for a bothyd that is just away") {
  CommandTestWorld world;
  world.supervisor.down = true;
  world.start({"exec", "demo", "exit", "3"});
  world.advance(3 * kj::SECONDS);
  CHECK_FALSE(world.isDone());
  CHECK(contains(world.errors(), "bothy: bothyd is not running: waiting 15 s for it"));
  world.supervisor.down = false;
  CHECK(waitThrough(world) == 3);
}

TEST_CASE("without a supervisor exec says what to do") {
  CommandTestWorld world;
  world.supervisor.down = true;
  world.start({"exec", "demo", "exit", "3"});
  for (int i = 0; i < 18; ++i) world.advance(1 * kj::SECONDS);
  REQUIRE(world.isDone());
  CHECK(world.wait() == EXEC_FAILED);
  CHECK(contains(world.errors(), "bothy: bothyd is not running at /test: start it"));
}

TEST_CASE("P45 exec waits for the end of a stop, and then says what is to be done") {
  CommandTestWorld world;
  world.supervisor.state = rpc::WorkspaceState::STOPPING;
  world.start({"exec", "demo", "exit", "3"});
  world.advance(3 * kj::SECONDS);
  CHECK_FALSE(world.isDone());
  world.supervisor.state = rpc::WorkspaceState::STOPPED;
  world.advance(3 * kj::SECONDS);
  REQUIRE(world.isDone());
  CHECK(world.wait() == EXEC_FAILED);
  CHECK(contains(world.errors(), "bothy start demo"));
}

TEST_CASE("P41 exec waits for an agent that does not answer yet") {
  CommandTestWorld world;
  world.supervisor.unreachable = true;
  world.start({"exec", "demo", "exit", "3"});
  world.advance(3 * kj::SECONDS);
  CHECK_FALSE(world.isDone());
  world.supervisor.unreachable = false;
  world.supervisor.state = rpc::WorkspaceState::STARTING;
  world.advance(3 * kj::SECONDS);
  CHECK_FALSE(world.isDone());
  world.supervisor.state = nullptr;
  CHECK(waitThrough(world) == 3);
  CHECK(world.supervisor.program.starts == 1);
}

TEST_CASE("exec tells an agent that never answers") {
  CommandTestWorld world;
  world.supervisor.unreachable = true;
  world.start({"exec", "demo", "exit", "3"});
  CHECK(waitThrough(world) == EXEC_FAILED);
  CHECK(contains(world.errors(), "demo cannot be reached (no answer)"));
}

TEST_CASE("P12 a signal before the start was answered ends the command and exec") {
  auto number = GENERATE(SIGINT, SIGTERM, SIGHUP);
  CommandTestWorld world;
  world.supervisor.program.neverStarts = true;
  world.start({"exec", "demo", "sleep"});
  world.signal(number);
  CHECK(waitThrough(world) == 128 + number);
  CHECK(world.supervisor.program.signals.size() == 0);
  CHECK(world.errors() == "bothy: gave up: whether the command ran, or ended, is not known\n");
}

TEST_CASE("P12 a signal while the connection is lost ends exec") {
  CommandTestWorld world;
  world.start({"exec", "demo", "sleep"});
  world.supervisor.down = true;
  world.supervisor.breakConnections();
  world.settle();
  world.signal(SIGTERM);
  CHECK(waitThrough(world) == 128 + SIGTERM);
  CHECK(contains(world.errors(),
                 "gave up: the workspace ends the command with all it started within 30 s"));
}

TEST_CASE("P12 a signal while bothyd is away, so that nothing was started, claims no end of it") {
  CommandTestWorld world;
  world.supervisor.down = true;
  world.start({"exec", "demo", "sleep"});
  world.settle();
  world.signal(SIGTERM);
  CHECK(waitThrough(world) == 128 + SIGTERM);
  CHECK(contains(world.errors(), "gave up: whether the command ran, or ended, is not known"));
}

TEST_CASE("P16 exec whose output nobody reads ends the command and says so") {
  CommandTestWorld world;
  world.start({"exec", "demo", "cat"});
  world.breakOutput(outputClosed());
  world.type("x");
  CHECK(waitThrough(world) == 128 + SIGPIPE);
  CHECK(world.supervisor.program.ended);
  CHECK(world.errors() == "bothy: nobody reads the output any more: the command is ended\n");
}

TEST_CASE("P16 exec whose output finds no room ends the command and says so") {
  CommandTestWorld world;
  world.start({"exec", "demo", "cat"});
  world.breakOutput(failure("cannot write standard output: No space left on device"));
  world.type("x");
  CHECK(waitThrough(world) == EXEC_FAILED);
  CHECK(world.supervisor.program.ended);
  CHECK(world.errors() ==
        "bothy: cannot write standard output: No space left on device: the command is ended\n");
}

TEST_CASE("P41 exec goes on over a loss of its lane and bothyd, and no byte is lost or doubled") {
  CommandTestWorld world;
  world.start({"exec", "demo", "cat"});
  world.type("one ");
  world.supervisor.down = true;
  world.supervisor.breakConnections();
  world.settle();
  world.type("two ");
  world.advance(3 * kj::SECONDS);
  CHECK_FALSE(world.isDone());
  world.supervisor.down = false;
  world.advance(3 * kj::SECONDS);
  world.type("three");
  CHECK(world.out() == "one two three");
  CHECK(world.supervisor.program.input == "one two three");
  world.closeInput();
  CHECK(world.wait() == SUCCESS);
  CHECK(world.errors() == "");
}

TEST_CASE("P09 exec says why its lane ended, goes on, and does not wait for the reason") {
  bool isKnown = GENERATE(true, false);
  CommandTestWorld world;
  if (isKnown) world.supervisor.laneEnd = rpc::LaneEnd::DEVICE_REPLACED;
  world.start({"exec", "demo", "cat"});
  world.type("one ");
  world.supervisor.breakLanes();
  world.settle();
  world.type("two");
  world.closeInput();
  // No time has passed.
  CHECK(world.wait() == SUCCESS);
  CHECK(world.out() == "one two");
  CHECK(world.errors() ==
        (isKnown ? "bothy: the vsock device of demo has failed and is replaced\n" : ""));
}

TEST_CASE("P41 exec gives again what a broken lane lost on its way") {
  CommandTestWorld world;
  world.start({"exec", "demo", "sleep"});
  world.type("one two ");
  // The program had less of it, and has said something.
  world.supervisor.program.input = kj::str("one ");
  world.supervisor.program.said = kj::str("heard");
  world.supervisor.breakLanes();
  world.advance(1 * kj::SECONDS);
  CHECK(world.supervisor.program.input == "one two ");
  CHECK(world.out() == "heard");
  world.type("three");
  CHECK(world.supervisor.program.input == "one two three");
}

TEST_CASE("exec says that a program was lost that nobody kept") {
  CommandTestWorld world;
  world.start({"exec", "demo", "sleep"});
  world.supervisor.program.forgotten = true;
  world.supervisor.breakLanes();
  world.advance(1 * kj::SECONDS);
  CHECK(world.wait() == EXEC_FAILED);
  CHECK(contains(world.errors(), "the connection to demo was lost for too long"));
}

TEST_CASE("exec waits for a supervisor that is away no longer than the program does") {
  CommandTestWorld world;
  world.start({"exec", "demo", "sleep"});
  world.supervisor.down = true;
  world.supervisor.breakConnections();
  world.settle();
  for (int i = 0; i < 40; i++) world.advance(1 * kj::SECONDS);
  CHECK(world.wait() == EXEC_FAILED);
  CHECK(contains(world.errors(), "bothyd did not come back"));
}

}  // namespace
}  // namespace bothy
