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

TEST_CASE("the sequence detaches in every encoding that a program can ask for") {
  // modifyOtherKeys, and with formatOtherKeys
  CHECK(type("ctrl-],.", {"a\x1b[27;5;93~."}) == "a!");
  CHECK(type("ctrl-],.", {"\x1b[93;5u."}) == "!");
  // kitty's protocol: disambiguated, with events, with every key encoded, alternates and text
  CHECK(type("ctrl-],.", {"\x1b[93;5u", "."}) == "!");
  CHECK(type("ctrl-],.", {"\x1b[93;5:1u\x1b[93;5:3u."}) == "!");
  CHECK(type("ctrl-],.", {"\x1b[57442;5:1u\x1b[93;5:1u\x1b[93;5:3u\x1b[57442;1:3u\x1b[46;1:1u"}) ==
        "\x1b[57442;5:1u!");
  CHECK(type("ctrl-],.", {"\x1b[93:125:93;5u\x1b[46::46;;46u"}) == "!");
  CHECK(type("ctrl-p,ctrl-q", {"\x1b[112;5u\x1b[27;5;113~"}) == "!");
}

TEST_CASE("the sequence detaches where keys are as Windows has them") {
  // Ctrl, "]" down and up, Ctrl up, "." down.
  CHECK(type("ctrl-],.",
             {"\x1b[17;29;0;1;8;1_\x1b[221;27;29;1;8;1_\x1b[221;27;29;0;8;1_\x1b[17;29;0;0;0;1_"
              "\x1b[190;52;46;1;0;1_"}) == "\x1b[17;29;0;1;8;1_!");
  CHECK(type("ctrl-],.", {"\x1b[65;30;97;1;0;1_"}) == "\x1b[65;30;97;1;0;1_");
  CHECK(type("ctrl-],.", {"\x1b[221;27;29;1;8;1_\x1b[38;72;0;1;0;1_."}) ==
        "\x1b[221;27;29;1;8;1_\x1b[38;72;0;1;0;1_.");
}

TEST_CASE(
    "the sequence detaches where the terminal sends 8-bit controls, of one byte or as UTF-8") {
  for (auto introducer : {"\x9b", "\xc2\x9b"}) {
    auto typed = kj::str(introducer, "27;5;93~", introducer, "46u");
    CHECK(type("ctrl-],.", {typed}) == "!");
    for (size_t i = 1; i < typed.size(); ++i) {
      INFO(i);
      auto first = kj::str(typed.slice(0, i));
      CHECK(type("ctrl-],.", {first, typed.slice(i)}) == "!");
    }
    auto arrow = kj::str("\x1d", introducer, "A.");
    CHECK(type("ctrl-],.", {arrow}) == arrow);
    CHECK(type("ctrl-],.", {kj::str(introducer, introducer, "93;5u.")}) ==
          kj::str(introducer, "!"));
  }
}

TEST_CASE("characters with a byte that is a control of 8 bits are none") {
  // U+011B, U+20DB and U+1F39B end in it, and U+00A3 begins as one.
  for (auto text : {"\xc4\x9b", "\xe2\x83\x9b", "\xf0\x9f\x8e\x9b", "\xc2\xa3"}) {
    auto typed = kj::str(text, "93;5u.");
    CHECK(type("ctrl-],.", {typed}) == typed);
    CHECK(type("ctrl-],.", {kj::str(text, "\x1d.")}) == kj::str(text, "!"));
  }
}

TEST_CASE("an encoded key may come in pieces") {
  kj::StringPtr typed = "\x1b[27;5;93~\x1b[46u";
  for (size_t i = 1; i < typed.size(); ++i) {
    INFO(i);
    auto first = kj::str(typed.slice(0, i));
    CHECK(type("ctrl-],.", {first, typed.slice(i)}) == "!");
  }
}

TEST_CASE("encoded keys that only look like the sequence are not lost") {
  CHECK(type("ctrl-],.", {"\x1b[93;5ux"}) == "\x1b[93;5ux");
  CHECK(type("ctrl-],.", {"\x1b[93;5u\x1b[93;5:3ux"}) == "\x1b[93;5u\x1b[93;5:3ux");
  CHECK(type("ctrl-],.", {"\x1b[93;7u."}) == "\x1b[93;7u.");
  CHECK(type("ctrl-],.", {"\x1b[93;5u\x1b[A."}) == "\x1b[93;5u\x1b[A.");
  CHECK(type("ctrl-],.", {"\x1b[1", "\x01x"}) == "\x1b[1\x01x");
  CHECK(type("ctrl-],.", {"\x1b[93;5u\x1b[93;5u", "."}) == "\x1b[93;5u.");
}

TEST_CASE("the mouse and answers of the terminal may come between the keys") {
  CHECK(type("ctrl-],.", {"\x1d\x1b[<35;10;10M\x1b[O\x1b[I."}) == "\x1b[<35;10;10M\x1b[O\x1b[I!");
}

TEST_CASE("Escape is held only for the moment in which more of a key may follow") {
  auto keys = KJ_REQUIRE_NONNULL(DetachKeys::parse("ctrl-],."));
  CHECK(keys.filter("\x1b"_kj.asBytes()).input.size() == 0);
  CHECK(keys.isUndecided());
  CHECK(kj::str(keys.decide().asChars()) == "\x1b");
  CHECK_FALSE(keys.isUndecided());
  // Followed by something else, it is a key of its own.
  CHECK(type("ctrl-],.", {"\x1b", "x"}) == "\x1bx");
  CHECK(type("ctrl-],.", {"\x1b\x1d."}) == "\x1b!");
  CHECK(type("ctrl-],.", {"\x1b\x1b[A"}) == "\x1b\x1b[A");
  CHECK(type("ctrl-],.", {"\x1bOP"}) == "\x1bOP");
  CHECK(type("ctrl-p,ctrl-[", {"\x10\x1b"}) == "!");
}

TEST_CASE("what never ends is held to a bound") {
  kj::String endless = kj::str("\x1b[", kj::repeat('1', 10'000));
  CHECK(type("ctrl-],.", {endless}).size() >= 9'900);
  CHECK(type("none", {endless}) == endless);
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
