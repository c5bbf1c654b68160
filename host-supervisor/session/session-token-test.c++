#include "session/session-token.h"

#include <kj/debug.h>
#include <kj/string.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

struct Counting final: public Randomness {
  void fill(kj::ArrayPtr<kj::byte> bytes) override {
    for (auto i : kj::indices(bytes)) bytes[i] = static_cast<kj::byte>(i + 7);
  }
};

kj::String textOf(const SessionToken& token) {
  return kj::str(token.text().bytes().asChars());
}

TEST_CASE("a session's token is a text that says what it is, and is found by its hash alone") {
  Counting randomness;
  auto token = SessionToken::generate(randomness);
  auto text = textOf(token);
  INFO(text.cStr());
  CHECK(text.startsWith("bothy_s_0708090a"));
  CHECK(text.size() == SessionToken::TEXT_BYTES);
  auto hash = KJ_ASSERT_NONNULL(hashOfToken(text));
  CHECK(hash == token.hash());
  kj::byte bits[SessionToken::BYTES];
  randomness.fill(bits);
  CHECK(hash == Sha256::of(bits));
}

TEST_CASE("S34 a text of which one character is not as it was is no token") {
  Counting randomness;
  auto text = textOf(SessionToken::generate(randomness));
  for (auto i : kj::indices(text)) {
    for (char other : {'0', '1', 'f', 'F', 'x', ' '}) {
      if (text[i] == other) continue;
      auto wrong = kj::str(text);
      wrong[i] = other;
      CHECK(hashOfToken(wrong) == nullptr);
    }
  }
  CHECK(hashOfToken(""_kj) == nullptr);
  CHECK(hashOfToken(kj::str(text, "0")) == nullptr);
  CHECK(hashOfToken(text.slice(1)) == nullptr);
}

TEST_CASE("the hash of a token is SHA-256") {
  auto hash = Sha256::of("abc"_kj.asBytes());
  CHECK((hash.bytes[0] == 0xba && hash.bytes[1] == 0x78 && hash.bytes[31] == 0xad));
}

}  // namespace
}  // namespace bothy
