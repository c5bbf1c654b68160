#include "transfer/copy-end.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

kj::String parse(kj::StringPtr text) {
  auto end = CopyEnd::parse(text);
  KJ_IF_MAYBE (name, end.workspace) {
    return kj::str("<", *name, ">", end.path);
  }
  return kj::str(end.path);
}

TEST_CASE("what begins with a workspace's name and a colon is in that workspace") {
  CHECK(parse("demo:/etc/hosts") == "<demo>/etc/hosts");
  CHECK(parse("demo:") == "<demo>");
  CHECK(parse("a-1:x:y") == "<a-1>x:y");
}

TEST_CASE("what could not be a workspace's name is a local path") {
  for (auto text : {"./demo:x", "/tmp/a:b", "Demo:x", "-a:x", "a-:x", ":x", "plain", "-"}) {
    CHECK(parse(text) == kj::StringPtr(text));
  }
  CHECK(CopyEnd::parse("-").isStream());
  CHECK_FALSE(CopyEnd::parse("a:-").isStream());
}

TEST_CASE("the last component never leads elsewhere") {
  CHECK(baseName("/a/b/") == "b");
  CHECK(baseName("b") == "b");
  for (auto text : {"", "/", "a/..", "..", "~"}) CHECK(baseName(text) == ".");
}

TEST_CASE("S06 a copy has the name that was typed, or its workspace's") {
  CHECK(copyName("ws", "/a/b/") == "b");
  CHECK(copyName("ws", "~/b") == "b");
  for (auto text : {"", "~", "~/", "/", "..", "a/..", "//"}) CHECK(copyName("ws", text) == "ws");
  for (auto text : {".", "a/.", "~/."}) CHECK(copyName("ws", text) == ".");
}

TEST_CASE("S08 a home is an absolute path of printable characters") {
  CHECK(isUsableHome("/"));
  CHECK(isUsableHome("/home/j\303\274rgen"));
  for (auto text : {""_kj, "home"_kj, "/h/\x1b[2J"_kj, "/h\n"_kj, "/\x7f"_kj}) {
    CHECK_FALSE(isUsableHome(text));
  }
  CHECK_FALSE(isUsableHome(kj::StringPtr("/h/..\0x", 7)));
}

TEST_CASE("a path that is not absolute begins in the user's home") {
  CHECK(pathFromRoot("/x", "") == "/x");
  CHECK(pathFromRoot("x", "/home/user") == "/home/user/x");
  CHECK(pathFromRoot("~/x", "/root") == "/root/x");
  CHECK(pathFromRoot("", "/var/lib/postgresql") == "/var/lib/postgresql");
  CHECK(pathFromRoot("x", "/") == "/x");
  CHECK_FALSE(beginsAtHome("/x"));
  CHECK(beginsAtHome("~/x"));
}

}  // namespace
}  // namespace bothy
