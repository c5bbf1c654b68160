#include "usage/completion.h"

#include <initializer_list>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr kj::StringPtr SIZES[] = {"1G"_kj, "2G"_kj};

// The titles of what is offered, and the candidates.
kj::String offered(std::initializer_list<kj::StringPtr> words, kj::StringPtr current) {
  Usage usage("demo", "shows how");
  bool flag = false;
  kj::StringPtr text;
  kj::Vector<kj::StringPtr> command;
  usage.flag('t', "tty", "on a terminal", flag);
  usage.option('u', "user", {"USER"}, "as this user", text);
  usage.option(0, "size", {"SIZE", Value::Kind::WORDS, SIZES}, "so large", text);
  usage.operand({"NAME"}, text);
  usage.commandLine(command);
  auto list = kj::heapArray(words);
  auto completion = complete(usage.declared(), list, current);
  auto names = KJ_MAP(candidate, completion.candidates) {
    return kj::str(candidate.word);
  };
  KJ_IF_MAYBE (value, completion.value) {
    return kj::str(completion.prefix, "<", value->title, ">", kj::strArray(names, " "));
  }
  return kj::strArray(names, " ");
}

TEST_CASE("an operand is offered in its place, and nothing behind it") {
  CHECK(offered({}, "") == "<NAME>");
  CHECK(offered({"-t"}, "d") == "<NAME>");
  CHECK(offered({"-u", "root", "--size=1G"}, "") == "<NAME>");
  CHECK(offered({"demo"}, "") == "");
}

TEST_CASE("options are offered where one begins") {
  CHECK(offered({}, "-") == "--tty --user --size");
  CHECK(offered({"demo"}, "--s") == "--tty --user --size");
  CHECK(offered({"--"}, "-") == "");
}

TEST_CASE("the value of an option is offered in each of its forms") {
  CHECK(offered({"--size"}, "") == "<SIZE>");
  CHECK(offered({}, "--size=1") == "--size=<SIZE>");
  CHECK(offered({"-u"}, "") == "<USER>");
  CHECK(offered({"-tu"}, "") == "<USER>");
  CHECK(offered({"-uroot"}, "") == "<NAME>");
  CHECK(offered({}, "--tty=") == "");
}

TEST_CASE("P40 nothing is offered in a command line of a workspace") {
  CHECK(offered({"demo", "ls"}, "-") == "");
  CHECK(offered({"demo", "--"}, "-") == "");
}

TEST_CASE("the command is the first word that is no option") {
  Usage usage("", "bothy");
  kj::StringPtr text;
  kj::Vector<kj::StringPtr> command;
  usage.option(0, "socket", {"PATH"}, "a socket", text);
  usage.commandLine(command);
  const kj::StringPtr words[] = {"--socket"_kj, "exec"_kj, "ls"_kj};
  CHECK(commandIndex(usage.declared(), words) == 2);
  CHECK(commandIndex(usage.declared(), kj::arrayPtr(words, 2)) == 2);
}

}  // namespace
}  // namespace bothy
