#include "tty/typed-key.h"

#include <kj/string.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

// The byte, or how else the key counts.
kj::String meaning(kj::StringPtr parameters) {
  auto sequence = kj::str("\x1b[", parameters);
  auto key = decodeKey(sequence.asBytes());
  switch (key.kind) {
    case TypedKey::Kind::KEY:
      return kj::str(static_cast<kj::uint>(key.byte));
    case TypedKey::Kind::QUIET:
      return kj::str("quiet");
    case TypedKey::Kind::REPORT:
      return kj::str("report");
    case TypedKey::Kind::OTHER:
      return kj::str("other");
  }
  return kj::str("unknown");
}

TEST_CASE("Ctrl-] is the same key in every encoding") {
  for (auto encoded : {"27;5;93~",     // modifyOtherKeys
                       "93;5u",        // formatOtherKeys, kitty
                       "93;5:1u",      // with events
                       "93;5:2u",      // repeated
                       "93:125;5u",    // with alternates
                       "1098::93;5u",  // on a keyboard of another script
                       "93;69u",       // Caps Lock
                       "93;197u",      // and Num Lock
                       "53;5u",        // Ctrl-5 sends it too
                       "27;5;53~"}) {
    INFO(encoded);
    CHECK(meaning(encoded) == "29");
  }
}

TEST_CASE("other keys with Ctrl are what terminals have always sent") {
  CHECK(meaning("112;5u") == "16");
  CHECK(meaning("27;5;112~") == "16");
  CHECK(meaning("27;6;64~") == "0");
  CHECK(meaning("32;5u") == "0");
  CHECK(meaning("50:64;6u") == "0");
  CHECK(meaning("54;6u") == "30");
  CHECK(meaning("45:95;6u") == "31");
  CHECK(meaning("92;5u") == "28");
}

TEST_CASE("a key without Ctrl is what it types") {
  CHECK(meaning("46u") == "46");
  CHECK(meaning("46;1u") == "46");
  CHECK(meaning("46;1:1;46u") == "46");
  CHECK(meaning("57409u") == "46");
  CHECK(meaning("97;2u") == "65");
  CHECK(meaning("97:65;2;65u") == "65");
  CHECK(meaning("27;2;33~") == "33");
  CHECK(meaning("13u") == "13");
}

TEST_CASE("a key with other modifiers is another key") {
  CHECK(meaning("93;7u") == "other");
  CHECK(meaning("93;3u") == "other");
  CHECK(meaning("112;6u") == "other");
  CHECK(meaning("228u") == "other");
  CHECK(meaning("A") == "other");
  CHECK(meaning("1;5A") == "other");
  CHECK(meaning("3~") == "other");
}

TEST_CASE("keys that go up and keys that change others are quiet") {
  CHECK(meaning("93;5:3u") == "quiet");
  CHECK(meaning("57442;5u") == "quiet");
  CHECK(meaning("57442;1:3u") == "quiet");
  CHECK(meaning("57358u") == "quiet");
  CHECK(meaning("1;1:3A") == "quiet");
}

TEST_CASE("what is no key is a report") {
  CHECK(meaning("I") == "report");
  CHECK(meaning("O") == "report");
  CHECK(meaning("<35;10;10M") == "report");
  CHECK(meaning("?1u") == "report");
  CHECK(meaning("?62;22c") == "report");
  CHECK(meaning("0n") == "report");
}

TEST_CASE("numbers without a bound do no harm") {
  CHECK(meaning("99999999999999999999;5u") == "other");
  CHECK(meaning("93;99999999999999999999u") == "other");
  CHECK(meaning("1:2:3:4:5;6;7;8;9;10u") != "29");
  CHECK(meaning(";;;;;;;u") != "29");
}

}  // namespace
}  // namespace bothy
