#include "usage/usage.h"

#include <initializer_list>

#include <catch2/catch_test_macros.hpp>

#include "console/failure.h"

namespace bothy {
namespace {

enum class Shape { OPERANDS, ONE, COMMAND_LINE, AFTER_DASHES };

struct Parsed {
  bool tty = false;
  bool force = false;
  bool json = false;
  bool help = false;
  kj::String user;
  kj::String variables;
  kj::String operands;
  kj::String command;
  kj::String error;
};

Parsed parse(Shape shape, std::initializer_list<kj::StringPtr> arguments) {
  Parsed parsed;
  Usage usage("demo", "shows how");
  kj::StringPtr user, operand;
  kj::Vector<kj::StringPtr> operands, command, variables;
  usage.flag('t', "tty", "on a terminal", parsed.tty);
  usage.flag('f', "force", "by force", parsed.force);
  usage.option('u', "user", {"USER"}, "as this user", user);
  usage.option('e', "env", {"NAME=TEXT"}, "a variable",
               [&](kj::StringPtr given) { variables.add(given); });
  if (shape == Shape::OPERANDS) usage.operands({"NAME"}, operands);
  if (shape == Shape::ONE || shape == Shape::COMMAND_LINE) usage.operand({"NAME"}, operand);
  if (shape == Shape::AFTER_DASHES) usage.optionalOperand({"NAME"}, operand);
  if (shape == Shape::COMMAND_LINE) usage.commandLine(command);
  if (shape == Shape::AFTER_DASHES) usage.commandLineAfterDashes(command);
  usage.commonOptionsFollow();
  usage.flag(0, "json", "as JSON", parsed.json);
  auto list = kj::heapArray(arguments);
  auto thrown = kj::runCatchingExceptions([&] { parsed.help = !usage.parse(list); });
  parsed.user = kj::str(user);
  parsed.variables = kj::strArray(variables, "|");
  parsed.operands = shape == Shape::OPERANDS ? kj::strArray(operands, "|") : kj::str(operand);
  parsed.command = kj::strArray(command, "|");
  KJ_IF_MAYBE (exception, thrown) {
    auto failure = describe(*exception);
    CHECK(failure.exitCode == WRONG_USAGE);
    parsed.error = kj::mv(failure.message);
  }
  return parsed;
}

TEST_CASE("options may stand anywhere, in each of their forms") {
  auto parsed = parse(Shape::OPERANDS, {"a", "-tf", "b", "--user=root", "c"});
  CHECK((parsed.tty && parsed.force));
  CHECK(parsed.user == "root");
  CHECK(parsed.operands == "a|b|c");
  CHECK(parse(Shape::ONE, {"a", "-uroot"}).user == "root");
  CHECK(parse(Shape::ONE, {"a", "-tu", "root"}).user == "root");
  CHECK(parse(Shape::ONE, {"--user", "root", "a"}).user == "root");
  CHECK(parse(Shape::ONE, {"-f", "-f", "a"}).force);
}

TEST_CASE("an empty value is a value") {
  auto parsed = parse(Shape::ONE, {"--user=", "a"});
  CHECK(parsed.user == "");
  CHECK(parsed.operands == "a");
  CHECK(parse(Shape::ONE, {"--user", "", "a"}).operands == "a");
  CHECK(parse(Shape::ONE, {""}).error == "");
  CHECK(parse(Shape::COMMAND_LINE, {"--user=", "a", "printenv", "--user=", "--tty="}).command ==
        "printenv|--user=|--tty=");
}

TEST_CASE("the last value counts, or each of them") {
  auto parsed = parse(Shape::ONE, {"-u", "a", "-e", "A=1", "ws", "-u", "b", "-e", "B=[1,2]"});
  CHECK(parsed.user == "b");
  CHECK(parsed.variables == "A=1|B=[1,2]");
  CHECK(parse(Shape::ONE, {"-e", "[A=1,B=2]", "ws"}).variables == "[A=1,B=2]");
  CHECK(parse(Shape::ONE, {"-u", "-t", "ws"}).user == "-t");
}

TEST_CASE("two dashes end the options") {
  CHECK(parse(Shape::OPERANDS, {"--", "-t", "--"}).operands == "-t|--");
  CHECK(parse(Shape::OPERANDS, {"a", "b", "--", "-t", "--user="}).operands == "a|b|-t|--user=");
  CHECK(parse(Shape::ONE, {"-"}).operands == "-");
}

TEST_CASE("an operand is passed as it is") {
  CHECK(parse(Shape::OPERANDS, {"[a,b]", "[c]"}).operands == "[a,b]|[c]");
  CHECK(parse(Shape::OPERANDS, {"a=b", "++", "/x", "{", "\"q"}).operands == "a=b|++|/x|{|\"q");
}

TEST_CASE("P40 what follows the workspace's name reaches the command as it is") {
  auto parsed = parse(Shape::COMMAND_LINE, {"-t", "ws", "ls", "-f", "--", "x"});
  CHECK(parsed.operands == "ws");
  CHECK(parsed.command == "ls|-f|--|x");
  CHECK((parsed.tty && !parsed.force));
  CHECK(parse(Shape::COMMAND_LINE, {"ws", "-f", "--", "ls", "--"}).command == "ls|--");
  CHECK(parse(Shape::COMMAND_LINE, {"ws", "--", "-t"}).command == "-t");
  CHECK(parse(Shape::COMMAND_LINE, {"--", "ws", "ls", "--", "-t"}).command == "ls|--|-t");
  CHECK(parse(Shape::COMMAND_LINE, {"ws", "echo", "[a,b]", "", "-h", "--help", "++"}).command ==
        "echo|[a,b]||-h|--help|++");
  CHECK(parse(Shape::COMMAND_LINE, {"ws", "echo", "--user=root", "-uroot"}).user == "");
  CHECK(parse(Shape::COMMAND_LINE, {"ws"}).command == "");
}

TEST_CASE("P40 a command after dashes leaves the operands alone") {
  auto parsed = parse(Shape::AFTER_DASHES, {"--", "make", "-t"});
  CHECK(parsed.operands == "");
  CHECK(parsed.command == "make|-t");
  CHECK(parse(Shape::AFTER_DASHES, {"ws", "-t", "--", "make"}).operands == "ws");
  CHECK(
      parse(Shape::AFTER_DASHES, {"ws", "make"}).error.startsWith("make is one argument too many"));
}

TEST_CASE("what is wrong is named, with where to look") {
  CHECK(parse(Shape::ONE, {"--frob"}).error ==
        "there is no option --frob: see `bothy demo --help`");
  CHECK(parse(Shape::ONE, {"a", "-tx"}).error.startsWith("there is no option -x"));
  CHECK(parse(Shape::COMMAND_LINE, {"-x", "ws", "ls"}).error.startsWith("there is no option -x"));
  CHECK(parse(Shape::COMMAND_LINE, {"ws", "-5", "ls"}).error.startsWith("there is no option -5"));
  CHECK(parse(Shape::ONE, {"--user"}).error.startsWith("--user needs a value: --user USER"));
  CHECK(parse(Shape::ONE, {"a", "-u"}).error.startsWith("--user needs a value"));
  CHECK(parse(Shape::ONE, {"--tty=1"}).error.startsWith("--tty takes no value"));
  CHECK(parse(Shape::ONE, {}).error.startsWith("NAME is missing"));
  CHECK(parse(Shape::OPERANDS, {}).error.startsWith("NAME is missing"));
  CHECK(parse(Shape::ONE, {"a", "b"}).error.startsWith("b is one argument too many"));
}

TEST_CASE("the option that was probably meant is named") {
  CHECK(parse(Shape::ONE, {"--usr=x"}).error.startsWith("there is no option --usr, is it --user?"));
  CHECK(parse(Shape::ONE, {"-json"}).error.startsWith("there is no option -json, is it --json?"));
}

TEST_CASE("with --help nothing else is required") {
  CHECK(parse(Shape::ONE, {"--help"}).help);
  CHECK(parse(Shape::COMMAND_LINE, {"-th"}).help);
  CHECK_FALSE(parse(Shape::COMMAND_LINE, {"ws", "ls", "--help"}).help);
}

TEST_CASE("a failure knows whether JSON was asked for") {
  auto parsed = parse(Shape::ONE, {"--json", "a", "--frob"});
  CHECK(parsed.json);
  CHECK(parsed.error.size() > 0);
}

}  // namespace
}  // namespace bothy
