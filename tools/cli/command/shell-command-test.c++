#include <signal.h>
#include <string.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "command/terminal-test-world.h"
#include "console/failure.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

TEST_CASE("P03 a shell is opened in the size and type of the local terminal") {
  AtTerminal world;
  world.interactive = true;
  world.start({"shell", "demo"});
  CHECK(world.supervisor.terminal.size == "100x30");
  CHECK(world.supervisor.terminal.term == "xterm-test");
  CHECK(world.supervisor.terminal.command == "");
  world.resize(132, 50);
  CHECK(world.supervisor.terminal.size == "132x50");
  world.exit(0);
  CHECK(world.wait() == SUCCESS);
}

TEST_CASE("P02 a shell that is given up while it is opened is closed, if that is soon enough") {
  AtTerminal world;
  auto held = kj::newPromiseAndFulfiller<void>();
  world.supervisor.terminal.opening = kj::mv(held.promise);
  world.start({"shell", "demo"});
  world.signal(SIGINT);
  CHECK_FALSE(world.isDone());
  SECTION("it is") {
    held.fulfiller->fulfill();
    CHECK(world.wait() == SIGNAL_BASE + SIGINT);
    CHECK(world.supervisor.terminal.closes == 1);
    CHECK_FALSE(contains(world.errors(), "may be left"));
  }
  SECTION("it is not") {
    world.advance(1 * kj::SECONDS);
    CHECK(world.wait() == SIGNAL_BASE + SIGINT);
    CHECK(world.supervisor.terminal.closes == 0);
    CHECK(contains(world.errors(),
                   "a terminal that nobody looks at may be left in demo: `bothy shell demo --list` "
                   "lists it"));
  }
}

TEST_CASE("P02 a shell whose opening fails says once that a terminal may be left") {
  AtTerminal world;
  auto held = kj::newPromiseAndFulfiller<void>();
  world.supervisor.terminal.opening = kj::mv(held.promise);
  world.start({"shell", "demo"});
  int code = EXEC_FAILED;
  SECTION("after it was given up") {
    world.signal(SIGINT);
    CHECK_FALSE(world.isDone());
    code = SIGNAL_BASE + SIGINT;
  }
  SECTION("by itself") {}
  held.fulfiller->reject(KJ_EXCEPTION(FAILED, "the agent is confused"));
  CHECK(world.wait() == code);
  auto errors = world.errors();
  const auto* first = strstr(errors.cStr(), "may be left");
  REQUIRE(first != nullptr);
  CHECK(strstr(first + 1, "may be left") == nullptr);
}

TEST_CASE("P07 a shell whose lane breaks while it is opened goes on in the same terminal") {
  AtTerminal world;
  world.interactive = true;
  world.supervisor.terminal.neverOpens = true;
  world.start({"shell", "demo"});
  world.supervisor.terminal.neverOpens = false;
  SECTION("where it is found") {
    world.supervisor.breakLanes();
    world.settle();
    world.advance(1 * kj::SECONDS);
    world.show("$ ");
    CHECK(world.out() == "$ ");
    world.exit(3);
    CHECK(world.wait() == 3);
    CHECK_FALSE(contains(world.errors(), "may be left"));
  }
  SECTION("and says that it has ended") {
    world.supervisor.terminal.isAbsent = true;
    world.supervisor.breakLanes();
    world.settle();
    world.advance(1 * kj::SECONDS);
    CHECK(world.wait() == EXEC_FAILED);
    CHECK(contains(world.errors(), "the terminal ended while the connection was lost"));
    CHECK_FALSE(contains(world.errors(), "may be left"));
  }
  SECTION("and says that it may be left where the agent is too old to find it") {
    world.supervisor.agentGeneration = rpc::REQUEST_IDS_OF_TERMINALS - 1;
    world.supervisor.breakLanes();
    world.settle();
    world.advance(1 * kj::SECONDS);
    CHECK(world.wait() == EXEC_FAILED);
    CHECK(contains(world.errors(), "too old"));
    CHECK(contains(world.errors(), "a terminal that nobody looks at may be left in demo"));
  }
  SECTION("and says that it may be left where it is not reached any more") {
    world.supervisor.down = true;
    world.supervisor.breakConnections();
    for (int i = 0; i < 100 && !world.isDone(); i++) world.advance(1 * kj::SECONDS);
    CHECK(world.wait() == EXEC_FAILED);
    CHECK(contains(world.errors(), "a terminal that nobody looks at may be left in demo"));
  }
  CHECK(world.supervisor.terminal.opens == 1);
}

TEST_CASE("a shell passes keys and output through and exits with its code") {
  AtTerminal world;
  world.interactive = true;
  world.start({"shell", "demo"});
  CHECK(world.rawMode);
  world.show("$ \x1b[31m");
  world.type("ls\r\x03");
  CHECK(world.typed() == "ls\r\x03");
  CHECK(world.out() == "$ \x1b[31m");
  world.show("last");
  world.exit(3);
  CHECK(world.wait() == 3);
  CHECK(world.out() == "$ \x1b[31mlast");
  CHECK_FALSE(world.rawMode);
}

TEST_CASE(
    "P16 a shell whose output cannot be written leaves, and tells a full disk from a closed pipe") {
  {
    AtTerminal world;
    world.start({"shell", "demo"});
    world.breakOutput(outputClosed());
    world.show("x");
    CHECK(world.wait() == OUTPUT_CLOSED);
    CHECK(contains(world.errors(), "nobody reads the output: left terminal 7"));
  }
  AtTerminal world;
  world.start({"shell", "demo"});
  world.breakOutput(failure("cannot write standard output: No space left on device"));
  world.show("x");
  CHECK(world.wait() == EXEC_FAILED);
  CHECK(contains(world.errors(), "No space left on device: left terminal 7, it goes on"));
}

TEST_CASE("the detach keys leave the terminal to itself and say how to come back") {
  AtTerminal world;
  world.interactive = true;
  world.start({"shell", "demo"});
  world.type("a\x1d");
  world.type(".b");
  CHECK(world.wait() == SUCCESS);
  CHECK(world.typed() == "a");
  CHECK_FALSE(world.rawMode);
  CHECK(contains(world.errors(), "bothy shell demo --attach 7"));
}

TEST_CASE("P17 the detach keys leave a program that takes no input, however much was pasted") {
  AtTerminal world;
  world.interactive = true;
  world.start({"shell", "demo"});
  world.supervisor.terminal.takesNothing = true;
  world.type(kj::strArray(kj::repeat("0123456789abcdef"_kj, (18 << 20) / 16), ""));
  world.advance(1 * kj::MINUTES);
  CHECK(contains(world.errors(), "no input is taken: what is typed now is thrown away"));
  world.type("\x1d.");
  world.advance(1 * kj::SECONDS);
  REQUIRE(world.isDone());
  CHECK(world.wait() == SUCCESS);
  CHECK_FALSE(world.rawMode);
}

TEST_CASE("P17 a paste that is taken slowly arrives whole") {
  constexpr size_t BYTES = 18 << 20;
  AtTerminal world;
  world.interactive = true;
  world.start({"shell", "demo"});
  world.type(kj::strArray(kj::repeat("0123456789abcdef"_kj, BYTES / 16), ""));
  CHECK(world.supervisor.terminal.input.size() == BYTES);
  CHECK_FALSE(contains(world.errors(), "thrown away"));
  world.exit(0);
  CHECK(world.wait() == SUCCESS);
}

TEST_CASE("what is typed together with the detach keys, before them, arrives") {
  AtTerminal world;
  world.interactive = true;
  world.start({"shell", "demo"});
  world.type("b\x1d.");
  CHECK(world.wait() == SUCCESS);
  CHECK(world.typed() == "b");
}

TEST_CASE("P16 a shell whose input cannot be read leaves and says why; a closed one is empty") {
  {
    AtTerminal world;
    world.start({"shell", "demo"});
    world.breakInput(failure("cannot read standard input: Is a directory"));
    REQUIRE(world.isDone());
    CHECK(world.wait() == EXEC_FAILED);
    CHECK(contains(world.errors(), "Is a directory: left terminal 7, it goes on"));
    CHECK(world.typed() == "");
  }

  AtTerminal other;
  other.start({"shell", "demo"});
  other.breakInput(inputClosed());
  CHECK(other.typed() == "\x04");
  other.exit(0);
  CHECK(other.wait() == SUCCESS);
}

TEST_CASE(
    "P01 P02 attaching shows the terminal's screen and then what comes, and nothing of the past") {
  AtTerminal world;
  world.interactive = true;
  world.supervisor.terminal.output = kj::str("old\x1b[6n$ \x1b[");
  world.start({"shell", "demo", "--attach", "7"});
  CHECK(world.supervisor.terminal.size == "100x30");
  CHECK(world.out().endsWith("SCREEN"));
  CHECK_FALSE(contains(world.out(), "old"));
  // What was on the local screen has moved up, and is not written over.
  CHECK(contains(world.out(), kj::str("\x1b[30;1H", kj::repeat('\n', 30))));
  world.show("6nnew");
  CHECK(world.out().endsWith("SCREEN6nnew"));
  world.exit(0);
  CHECK(world.wait() == SUCCESS);
  CHECK(world.run({"shell", "demo", "--attach", "8"}) == EXEC_FAILED);
}

TEST_CASE(
    "S25 a shell that only views asks for no more, and sends neither what is typed nor a size") {
  AtTerminal world;
  world.interactive = true;
  world.start({"shell", "demo", "--attach", "7", "--view"});
  CHECK(world.supervisor.terminal.isViewed);
  CHECK(world.out().endsWith("SCREEN"));
  world.type("rm -rf ~\r");
  world.resize(132, 50);
  world.show("seen");
  CHECK(world.out().endsWith("SCREENseen"));
  world.type("\x1d.");
  CHECK(world.wait() == SUCCESS);
  CHECK(world.typed() == "");
  CHECK(world.supervisor.terminal.size == "");
  CHECK(world.run({"shell", "demo", "--view"}) != SUCCESS);
  CHECK(contains(world.errors(), "--view goes with --attach only"));
}

TEST_CASE("attaching without a terminal reads what the terminal has kept") {
  AtTerminal world;
  world.supervisor.terminal.output = kj::str("0123456789");
  world.supervisor.terminal.oldest = 4;
  world.start({"shell", "demo", "--attach", "7"});
  CHECK(world.out() == "456789");
  world.exit(0);
  CHECK(world.wait() == SUCCESS);
}

TEST_CASE("P17 leaving undoes what a redraw has set") {
  AtTerminal world;
  world.interactive = true;
  world.supervisor.terminal.screen = kj::str("\x1b[?1049h\x1b[?25lvim\x1b[?2004h");
  world.start({"shell", "demo", "--attach", "7"});
  world.type("\x1d.");
  CHECK(world.wait() == SUCCESS);
  CHECK(contains(world.errors(), "\x1b[?2004l\x1b[?1049l\x1b[?25h"));
}

TEST_CASE("an agent that is too old for what a shell needs is told as that") {
  AtTerminal world;
  world.interactive = true;
  world.supervisor.agentGeneration = rpc::STATEFUL_TERMINALS - 1;
  CHECK(world.run({"shell", "demo"}) == EXEC_FAILED);
  CHECK(contains(world.errors(), "the agent of demo is older than this bothy"));
  CHECK(world.supervisor.terminal.closes == 1);
  CHECK(world.run({"shell", "demo", "--attach", "7"}) == EXEC_FAILED);
  CHECK(contains(world.errors(), "`bothy stop` and `bothy start` give it another"));
}

TEST_CASE("P17 leaving a program that fills the screen gives the screen back") {
  AtTerminal world;
  world.interactive = true;
  world.start({"shell", "demo"});
  world.show("\x1b[?1049h\x1b[?25lvim");
  CHECK(world.undoneAtCrash == "\x1b[?1049l\x1b[?25h");
  world.type("\x1d.");
  CHECK(world.wait() == SUCCESS);
  CHECK(contains(world.errors(), "\x1b[?1049l\x1b[?25h"));
}

TEST_CASE("a signal leaves the terminal and restores the local one") {
  AtTerminal world;
  world.interactive = true;
  world.start({"shell", "demo"});
  world.signal(SIGHUP);
  CHECK(world.wait() == 128 + SIGHUP);
  CHECK_FALSE(world.rawMode);
}

TEST_CASE("without a terminal a shell is a pipe of fixed size, and the input's end is typed") {
  AtTerminal world;
  world.start({"shell", "demo", "--", "bash", "-i"});
  CHECK(world.supervisor.terminal.size == "80x24");
  CHECK(world.supervisor.terminal.term == "dumb");
  CHECK(world.supervisor.terminal.command == "bash -i");
  world.type("ls\x1d.\n");
  world.closeInput();
  CHECK(world.typed() == "ls\x1d.\n\x04");
  world.advance(1 * kj::SECONDS);
  CHECK(world.typed() == "ls\x1d.\n\x04\x04");
  world.exit(0);
  CHECK(world.wait() == SUCCESS);
  CHECK_FALSE(world.rawMode);
}

TEST_CASE("S08 S40 the list of terminals shows their titles escaped") {
  AtTerminal world;
  CHECK(world.run({"shell", "demo", "--list"}) == SUCCESS);
  CHECK(contains(world.out(), "evil\\x1b[2Jtitle"));
}

TEST_CASE("a list of terminals that the agent does not give says why") {
  AtTerminal world;
  world.supervisor.refusal = rpc::Refusal::TOO_MANY_LANES;
  CHECK(world.run({"shell", "demo", "--list"}) == EXEC_FAILED);
  CHECK(contains(world.errors(), "too many connections to demo are open"));
}

TEST_CASE("P17 exec -t runs its command on a terminal") {
  AtTerminal world;
  world.interactive = true;
  world.start({"exec", "-t", "demo", "vim", "-u", "NONE"});
  CHECK(world.rawMode);
  CHECK(world.supervisor.terminal.command == "vim -u NONE");
  world.exit(1);
  CHECK(world.wait() == 1);
  CHECK_FALSE(world.rawMode);
}

}  // namespace
}  // namespace bothy
