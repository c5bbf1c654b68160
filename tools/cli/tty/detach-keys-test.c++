#include "tty/detach-keys.h"

#include <initializer_list>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

// What reaches the terminal of `typed`, piece by piece; "!" where it detaches.
kj::String type(kj::StringPtr keys, std::initializer_list<kj::StringPtr> typed) {
  auto detachKeys = KJ_REQUIRE_NONNULL(DetachKeys::parse(keys));
  kj::String input = kj::str("");
  for (auto piece : typed) {
    auto result = detachKeys.filter(piece.asBytes());
    input = kj::str(input, result.input.asChars(), result.detach ? "!" : "");
  }
  return input;
}

TEST_CASE("the sequence detaches, also when its keys come one by one") {
  CHECK(type("ctrl-],.", {"ls\r\x1d."}) == "ls\r!");
  CHECK(type("ctrl-],.", {"\x1d", "."}) == "!");
  CHECK(type("ctrl-p,ctrl-q", {"a\x10", "\x11z"}) == "a!");
}

TEST_CASE("keys that only look like the sequence are not lost") {
  CHECK(type("ctrl-],.", {"\x1d", "x"}) == "\x1dx");
  CHECK(type("ctrl-],.", {"a.b"}) == "a.b");
  CHECK(type("ctrl-p,ctrl-q", {"\x10\x1b[A"}) == "\x10\x1b[A");
}

TEST_CASE("the first key typed twice is sent once") {
  CHECK(type("ctrl-],.", {"\x1d\x1d", "."}) == "\x1d.");
}

TEST_CASE("without a sequence everything passes") {
  CHECK(type("none", {"\x1d.", "a"}) == "\x1d.a");
}

TEST_CASE("key sequences that are none are refused") {
  for (auto text : {"", "ctrl-", "ctrl-1", "ab", "ctrl-p,", ",", "Ctrl-p"}) {
    INFO(text);
    CHECK(DetachKeys::parse(text) == nullptr);
  }
}

TEST_CASE("the sequence is described for people") {
  CHECK(KJ_REQUIRE_NONNULL(DetachKeys::parse(DetachKeys::DEFAULT)).describe() == "Ctrl-] then .");
}

}  // namespace
}  // namespace bothy
