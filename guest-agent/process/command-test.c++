// What of a command is refused before anything is made of it, and what of a refusal is kept.
#include "process/command.h"

#include <errno.h>
#include <string.h>

#include <capnp/message.h>
#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "process/login-environment.h"
#include "process/test-world.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

using Reason = rpc::StartFailure::Reason;

// Of one message, on the way of which it has come.
constexpr size_t MANY_NAMES = 300 * 1000;

struct World: public TestWorld {
  capnp::MallocMessageBuilder message;
  rpc::Command::Builder command = message.initRoot<rpc::Command>();

  World() { setArguments(command, {"true"_kj}); }

  void setVariable(kj::StringPtr name, kj::StringPtr value) {
    auto variable = command.initEnvironment(1)[0];
    variable.setName(name);
    variable.setValue(value);
  }
  auto prepare() { return prepareCommand(*programs, command.asReader(), EmptyArguments::REFUSED); }
  StartFailure refusal() {
    auto prepared = prepare();
    REQUIRE(prepared.is<StartFailure>());
    return kj::mv(prepared.get<StartFailure>());
  }
};

kj::String longText(size_t bytes) {
  return kj::str(kj::repeat('x', bytes));
}

kj::StringPtr subjectOf(const StartFailure& failure) {
  return failure.subject.asPtr();
}

TEST_CASE(
    "S42 a user whose programs were ended since they held up the agent starts none for a minute") {
  World world;
  CHECK(world.prepare().is<SpawnRequest>());
  const uid_t user = world.uid;
  world.programs->touches.refuseStarts(user + 1);
  CHECK(world.prepare().is<SpawnRequest>());
  world.programs->touches.refuseStarts(user);
  auto refused = world.prepare();
  REQUIRE(refused.is<StartFailure>());
  CHECK(refused.get<StartFailure>().reason == Reason::LIMIT_REACHED);
  CHECK(subjectOf(refused.get<StartFailure>()) == *rpc::USER_HELD_UP_AGENT);
}

TEST_CASE("S42 no user takes from others what their programs can be ended by") {
  World world;
  auto& touches = world.programs->touches;
  const uid_t user = world.uid, other = user + 1;
  constexpr auto SHARE = LoopTouches::MAX_GROUPS * 3 / 4;
  // Written to by nobody.
  constexpr int KILL_FILE = 0;
  kj::Vector<ProgramMark> left;
  for (size_t i = 0; i < SHARE; i++) {
    CHECK(touches.hasRoomFor(user));
    left.add(touches.add(user, KILL_FILE));
  }
  auto refused = world.prepare();
  REQUIRE(refused.is<StartFailure>());
  CHECK(refused.get<StartFailure>().reason == Reason::LIMIT_REACHED);
  CHECK(subjectOf(refused.get<StartFailure>()) == "maxUserPrograms");
  // A terminal, to end them, and whoever else.
  CHECK(prepareCommand(*world.programs, world.command.asReader(), EmptyArguments::LOGIN_SHELL,
                       "dumb"_kj)
            .is<SpawnRequest>());
  touches.remove(left.back());
  CHECK(world.prepare().is<SpawnRequest>());
  left.back() = touches.add(user, KILL_FILE);
  for (size_t i = 0; touches.hasRoomFor(other); i++) {
    REQUIRE(i < LoopTouches::MAX_GROUPS);
    touches.add(other, KILL_FILE);
  }
  CHECK(touches.hasRoomFor(other + 1));
  // Nor does root, who has all of it.
  for (size_t i = 0; i < LoopTouches::MAX_GROUPS; i++) touches.add(0, KILL_FILE);
  CHECK(touches.hasRoomFor(other + 1));
  CHECK(touches.hasRoomFor(0));
}

TEST_CASE("S42 of a client's text a failure keeps no more than the length of a path") {
  World world;
  auto tooLong = longText(rpc::MAX_ARGUMENT_BYTES / 2);
  auto expect = [&](Reason reason, kj::StringPtr beginning) {
    auto failure = world.refusal();
    CHECK(failure.reason == reason);
    CHECK(subjectOf(failure).size() <= MAX_FAILURE_TEXT_BYTES);
    CHECK(subjectOf(failure).startsWith(beginning));
  };
  world.command.setUser(tooLong);
  expect(Reason::NO_SUCH_USER, "xxx");
  world.command.setUser("");
  world.command.setWorkingDirectory(kj::str('/', tooLong));
  expect(Reason::WORKING_DIRECTORY_UNUSABLE, "/xxx");
  world.command.setWorkingDirectory("");
  setArguments(world.command, {tooLong});
  expect(Reason::PROGRAM_NOT_EXECUTABLE, "xxx");
  setArguments(world.command, {tooLong, tooLong});
  expect(Reason::ARGUMENTS_TOO_LONG, "xxx");

  auto explained = explain(SpawnFailure{SpawnFailure::Stage::EXECUTE, ENAMETOOLONG, nullptr},
                           tooLong, tooLong, ArgumentSize());
  CHECK(subjectOf(explained).size() == MAX_FAILURE_TEXT_BYTES);
}

TEST_CASE("S42 a start for which there is no memory left names the limit") {
  auto explained = explain(SpawnFailure{SpawnFailure::Stage::MEMORY, ENOMEM, nullptr}, "true", "/",
                           ArgumentSize());
  CHECK(explained.reason == Reason::LIMIT_REACHED);
  CHECK(subjectOf(explained) == "maxStartingBytes");
}

TEST_CASE("a failure's text ends between two characters") {
  auto text = kj::str(longText(MAX_FAILURE_TEXT_BYTES - 1), "\u00e9");
  CHECK(FailureText(text).asPtr().size() == MAX_FAILURE_TEXT_BYTES - 1);
  auto fits = kj::str(longText(MAX_FAILURE_TEXT_BYTES - 2), "\u00e9");
  CHECK(FailureText(fits).asPtr() == fits);
}

// Were the names compared with each other, each of these would last for longer than the test may.
TEST_CASE("S42 as many variables as a message holds are refused by their size") {
  World world;
  auto variables = world.command.initEnvironment(MANY_NAMES);
  uint64_t bytes = 0;
  for (auto i : kj::indices(variables)) {
    auto name = kj::str('v', 100000 + i);
    bytes += name.size() + strlen("=") + 1 + sizeof(char*);
    variables[i].setName(name);
  }
  auto failure = world.refusal();
  CHECK(failure.reason == Reason::ARGUMENTS_TOO_LONG);
  CHECK(failure.bytes == bytes + strlen("true") + 1 + sizeof(char*));
  CHECK(bytes > rpc::MAX_ARGUMENT_BYTES);
}

TEST_CASE("S42 as many variables as a program may have are set") {
  World world;
  auto variables = world.command.initEnvironment(MANY_NAMES * 3 / 4);
  for (auto i : kj::indices(variables)) variables[i].setName(kj::str('v', 100000 + i));
  auto prepared = world.prepare();
  REQUIRE(prepared.is<SpawnRequest>());
  auto& environment = prepared.get<SpawnRequest>().environment;
  CHECK(environment.size() > variables.size());
  CHECK(environment.back() == kj::str('v', 100000 + variables.size() - 1, '='));
}

// That replaces itself: what is counted is what the client sent.
TEST_CASE(
    "S42 a variable that comes again counts each time, and what is over the limit is not made") {
  World world;
  auto value = longText(rpc::MAX_ARGUMENT_BYTES / 4);
  auto variables = world.command.initEnvironment(5);
  for (auto variable : variables) {
    variable.setName("SAME");
    variable.setValue(value);
  }
  CHECK(world.refusal().reason == Reason::ARGUMENTS_TOO_LONG);
}

TEST_CASE("S42 a program is looked for in no more directories than have room for its paths") {
  World world;
  auto name = longText(200);
  setArguments(world.command, {name});
  world.setVariable("PATH", kj::str(kj::repeat(':', MAX_SEARCH_BYTES / 200)));
  auto failure = world.refusal();
  CHECK(failure.reason == Reason::INVALID_COMMAND);
  CHECK(subjectOf(failure).endsWith(kj::str("at most ", MAX_SEARCH_BYTES)));
  world.setVariable("PATH", kj::str(kj::repeat(':', MAX_SEARCH_BYTES / 300)));
  CHECK(world.prepare().is<SpawnRequest>());
}

TEST_CASE("an environment keeps the order of its names, and a name's last value") {
  Environment environment;
  environment.set("B", "1");
  environment.set("AB", "2");
  environment.set("A", "3");
  environment.set("B", "4");
  CHECK(KJ_ASSERT_NONNULL(environment.find("B")) == "4");
  CHECK(environment.find("C") == nullptr);
  CHECK(KJ_ASSERT_NONNULL(environment.indexOf("A")) == 2);
  CHECK(kj::strArray(environment.release(), " ") == "B=4 AB=2 A=3");
}

}  // namespace
}  // namespace bothy
