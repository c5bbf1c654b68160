#include <signal.h>
#include <string.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "command/command-test-world.h"
#include "console/failure.h"

namespace bothy {
namespace {

TEST_CASE("exec exits with the command's code, or 128 and its signal") {
  CommandTestWorld world;
  CHECK(world.run({"exec", "demo", "exit", "7"}) == 7);
  CHECK(world.run({"exec", "demo", "--", "kill", "9"}) == 137);
}

TEST_CASE("P41 exec tells the agent when all of a command is here") {
  CommandTestWorld world;
  CHECK(world.run({"exec", "demo", "exit", "7"}) == 7);
  CHECK(world.supervisor.program.ended);
}

TEST_CASE("exec tells its own failures apart from the command's") {
  CommandTestWorld world;
  CHECK(world.run({"exec", "demo", "nope"}) == NOT_FOUND);
  CHECK(world.run({"exec", "demo", "locked"}) == NOT_EXECUTABLE);
  CHECK(world.run({"exec", "nowhere", "exit", "0"}) == EXEC_FAILED);
  CHECK(world.run({"exec", "idle", "exit", "0"}) == EXEC_FAILED);
  auto errors = world.errors();
  CHECK(strstr(errors.cStr(), "`bothy start idle`") != nullptr);
}

TEST_CASE("P13 exec ends a command whose time is over, and says so") {
  CommandTestWorld world;
  CHECK(world.run({"exec", "--timeout", "2s", "demo", "sleep"}) == TIMED_OUT);
  auto errors = world.errors();
  CHECK(strstr(errors.cStr(), "timeout") != nullptr);
  CHECK(world.run({"exec", "--timeout", "soon", "demo", "sleep"}) == WRONG_USAGE);
  CHECK(world.run({"exec", "--timeout", "0", "demo", "sleep"}) == WRONG_USAGE);
}

TEST_CASE("P40 exec passes the command, its user and its environment as they are") {
  CommandTestWorld world;
  world.run({"exec", "-u", "root", "-e", "A=1 2", "-eB=", "demo", "exit", "0", "-u", "x y"});
  CHECK(world.supervisor.program.command == "exit 0 -u x y");
  CHECK(world.supervisor.program.user == "root");
  CHECK(world.supervisor.program.environment == "A=1 2 B=");
}

TEST_CASE("P04 exec keeps standard output and error apart") {
  CommandTestWorld world;
  CHECK(world.run({"exec", "demo", "talk"}) == SUCCESS);
  CHECK(world.out() == "to output\n");
  CHECK(world.errors() == "to errors \xff\n");
}

TEST_CASE("P41 exec of a command of whose output some is lost says how much, and fails") {
  CommandTestWorld world;
  world.supervisor.program.lost = 40;
  CHECK(world.run({"exec", "demo", "talk"}) == EXEC_FAILED);
  CHECK(world.out() == "to output\n");
  CHECK(strstr(world.errors().cStr(), "40 bytes of its output are missing") != nullptr);
  CHECK(world.run({"exec", "--json", "demo", "talk"}) == EXEC_FAILED);
  CHECK(strstr(world.out().cStr(), "40 bytes of its output are missing") != nullptr);
  CHECK(strstr(world.out().cStr(), "stdout") == nullptr);
}

TEST_CASE("exec forwards standard input and its end") {
  CommandTestWorld world;
  world.start({"exec", "demo", "cat"});
  world.type("hello ");
  world.type("world");
  CHECK(world.out() == "hello world");
  CHECK_FALSE(world.isDone());
  world.closeInput();
  CHECK(world.wait() == SUCCESS);
}

TEST_CASE("exec without input ends the command's input at once") {
  CommandTestWorld world;
  CHECK(world.run({"exec", "-n", "demo", "cat"}) == SUCCESS);
  CHECK(world.supervisor.program.inputEnded);
}

TEST_CASE("exec passes a signal on, and the second one gives up") {
  CommandTestWorld world;
  world.start({"exec", "demo", "sleep"});
  world.signal(SIGINT);
  REQUIRE(world.supervisor.program.signals.size() == 1);
  CHECK(world.supervisor.program.signals[0] == SIGINT);
  CHECK_FALSE(world.isDone());
  world.signal(SIGINT);
  CHECK(world.wait() == 128 + SIGINT);
  CHECK(world.supervisor.program.ended);
  CHECK(world.errors() == "bothy: gave up: the command is ended with all it started\n");
}

TEST_CASE("exec passes every SIGQUIT on, and none gives up") {
  CommandTestWorld world;
  world.start({"exec", "demo", "sleep"});
  world.signal(SIGQUIT);
  world.signal(SIGQUIT);
  world.signal(SIGINT);
  world.signal(SIGQUIT);
  auto& passed = world.supervisor.program.signals;
  REQUIRE(passed.size() == 4);
  CHECK((passed[0] == SIGQUIT && passed[1] == SIGQUIT && passed[3] == SIGQUIT));
  CHECK_FALSE(world.isDone());
  world.signal(SIGINT);
  CHECK(world.wait() == 128 + SIGINT);
  CHECK(passed.size() == 4);
}

TEST_CASE("exec exits as the command that a forwarded signal ended") {
  CommandTestWorld world;
  world.start({"exec", "demo", "sleep"});
  world.signal(SIGTERM);
  CHECK(world.wait() == 128 + SIGTERM);
}

TEST_CASE("exec with --json collects the output") {
  CommandTestWorld world;
  CHECK(world.run({"exec", "--json", "demo", "talk"}) == SUCCESS);
  CHECK(world.out() ==
        "{\"exited\":0,\"stdout\":\"to output\\n\",\"stderrBase64\":\"dG8gZXJyb3JzIP8K\"}\n");
}

TEST_CASE("exec with --json tells the signal that ended the command") {
  CommandTestWorld killed;
  CHECK(killed.run({"exec", "--json", "demo", "kill", "9"}) == 137);
  CHECK(killed.out() == "{\"killed\":9,\"stdout\":\"\",\"stderr\":\"\"}\n");
}

TEST_CASE("P13 exec with --json tells that the command's time was over, as a value that is true") {
  CommandTestWorld world;
  CHECK(world.run({"exec", "--json", "--timeout", "2s", "demo", "sleep"}) == TIMED_OUT);
  CHECK(world.out() == "{\"timedOut\":true,\"stdout\":\"\",\"stderr\":\"\"}\n");
}

TEST_CASE("P09 exec says that the command ran out of memory") {
  CommandTestWorld world;
  CHECK(world.run({"exec", "demo", "hog"}) == 137);
  CHECK(
      world.errors() ==
      "bothy: out of memory: the command was killed, when it and what it started had taken 300 MiB "
      "at most\n");
}

TEST_CASE("P09 exec with --json tells what the command took, and that it ran out of memory") {
  CommandTestWorld world;
  CHECK(world.run({"exec", "--json", "demo", "hog"}) == 137);
  CHECK(world.out() ==
        "{\"usage\":{\"cpuMicros\":\"1500\",\"memoryPeakBytes\":\"314572800\",\"outOfMemory\":1},"
        "\"killed\":9,\"stdout\":\"\",\"stderr\":\"\"}\n");
}

TEST_CASE("P16 exec whose input cannot be read ends the command, and tells it of no end of input") {
  CommandTestWorld world;
  world.start({"exec", "demo", "cat"});
  world.type("half");
  world.breakInput(failure("cannot read standard input: Input/output error"));
  REQUIRE(world.isDone());
  CHECK(world.wait() == EXEC_FAILED);
  CHECK(world.errors() ==
        "bothy: cannot read standard input: Input/output error: the command is ended with all it "
        "started\n");
  CHECK_FALSE(world.supervisor.program.inputEnded);
  CHECK(world.supervisor.program.ended);
}

TEST_CASE("exec whose caller has closed standard input gives the command an empty one") {
  CommandTestWorld world;
  world.start({"exec", "demo", "cat"});
  world.breakInput(inputClosed());
  CHECK(world.wait() == SUCCESS);
  CHECK(world.supervisor.program.inputEnded);
}

}  // namespace
}  // namespace bothy
