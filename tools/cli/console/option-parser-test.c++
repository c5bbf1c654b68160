#include "console/option-parser.h"

#include <initializer_list>

#include <catch2/catch_test_macros.hpp>

#include "console/failure.h"

namespace bothy {
namespace {

using Command = OptionParser::Command;

struct Parsed {
  bool tty = false;
  bool force = false;
  kj::StringPtr user;
  kj::String operands;
  kj::String command;
  kj::String error;
};

Parsed parse(Command command, std::initializer_list<kj::StringPtr> arguments) {
  Parsed parsed;
  OptionParser parser("demo", command);
  parser.flag('t', "tty", parsed.tty);
  parser.flag('f', "force", parsed.force);
  parser.value('u', "user", parsed.user);
  auto list = kj::heapArray(arguments);
  auto thrown = kj::runCatchingExceptions([&] {
    auto result = parser.parse(list);
    parsed.operands = kj::strArray(result.operands, "|");
    parsed.command = kj::strArray(result.command, "|");
  });
  KJ_IF_MAYBE (exception, thrown) {
    auto failure = describe(*exception);
    CHECK(failure.exitCode == WRONG_USAGE);
    parsed.error = kj::mv(failure.message);
  }
  return parsed;
}

TEST_CASE("options may stand anywhere, in each of their forms") {
  auto parsed = parse(Command::NONE, {"a", "-tf", "b", "--user=root"});
  CHECK((parsed.tty && parsed.force));
  CHECK(parsed.user == "root");
  CHECK(parsed.operands == "a|b");
  CHECK(parse(Command::NONE, {"-uroot"}).user == "root");
  CHECK(parse(Command::NONE, {"-tu", "root"}).user == "root");
  CHECK(parse(Command::NONE, {"--user", "root"}).user == "root");
  CHECK(parse(Command::NONE, {"--user="}).user == "");
}

TEST_CASE("two dashes end the options") {
  CHECK(parse(Command::NONE, {"--", "-t", "--"}).operands == "-t|--");
  CHECK(parse(Command::NONE, {"-"}).operands == "-");
}

TEST_CASE("P40 what follows the workspace's name reaches the command as it is") {
  auto parsed = parse(Command::AFTER_OPERAND, {"-t", "ws", "ls", "-f", "--", "x"});
  CHECK(parsed.operands == "ws");
  CHECK(parsed.command == "ls|-f|--|x");
  CHECK_FALSE(parsed.force);
  CHECK(parse(Command::AFTER_OPERAND, {"ws", "-f", "--", "ls", "--"}).command == "ls|--");
  CHECK(parse(Command::AFTER_OPERAND, {"ws", "--", "-t"}).command == "-t");
}

TEST_CASE("a command after dashes leaves the operands alone") {
  auto parsed = parse(Command::AFTER_DASHES, {"--", "make", "-t"});
  CHECK(parsed.operands == "");
  CHECK(parsed.command == "make|-t");
}

TEST_CASE("what is wrong is named") {
  CHECK(parse(Command::NONE, {"--usr"}).error.startsWith("there is no option --usr"));
  CHECK(parse(Command::NONE, {"-tx"}).error.startsWith("there is no option -x"));
  CHECK(parse(Command::NONE, {"--user"}).error.startsWith("--user needs a value"));
  CHECK(parse(Command::NONE, {"-u"}).error.startsWith("-u needs a value"));
  CHECK(parse(Command::NONE, {"--tty=1"}).error.startsWith("--tty takes no value"));
}

}  // namespace
}  // namespace bothy
