// A key tree under a root that is no file: what it may ask of any.

#include "keys/key-root.h"

#include <string.h>

#include <algorithm>
#include <map>

#include "keys/key-tree.h"
#include "keys/test-keyring.h"

namespace bothy {
namespace {

// As a token has it: what it wraps has all the bytes that it may have, and nobody knows what came of a call that failed.
struct Token {
  std::map<uint64_t, Secret> keys;
  // How the next call of tryKeepOnly() fails: with the old epochs' keys destroyed, or not.
  enum class Failing { NO, BEFORE, BEHIND };
  Failing failing = Failing::NO;
};

class TokenRoot final: public KeyRoot {
public:
  explicit TokenRoot(Token& token) : token(token) {}

  kj::Array<uint64_t> epochs() override {
    kj::Vector<uint64_t> found;
    for (auto& key : token.keys) found.add(key.first);
    return found.releaseAsArray();
  }
  void make(uint64_t epoch) override {
    KJ_REQUIRE(token.keys.empty() || token.keys.rbegin()->first < epoch);
    token.keys.emplace(epoch, randomKey());
  }
  kj::Array<kj::byte> wrap(uint64_t epoch, const Secret& key,
                           kj::ArrayPtr<const kj::byte> context) override {
    auto wrapped = KeyWrapper(token.keys.at(epoch)).wrap(key, context);
    auto padded = kj::heapArray<kj::byte>(MAX_ROOT_WRAPPED_BYTES);
    memset(padded.begin(), PADDING, padded.size());
    memcpy(padded.begin(), &wrapped, sizeof(wrapped));
    return padded;
  }
  bool unwrap(uint64_t epoch, kj::ArrayPtr<const kj::byte> wrapped,
              kj::ArrayPtr<const kj::byte> context, Secret& key) override {
    auto isPadding = [](kj::byte each) { return each == PADDING; };
    if (wrapped.size() != MAX_ROOT_WRAPPED_BYTES ||
        !std::all_of(wrapped.begin() + sizeof(WrappedKey), wrapped.end(), isPadding)) {
      return false;
    }
    WrappedKey copy;
    memcpy(&copy, wrapped.begin(), sizeof(copy));
    return KeyWrapper(token.keys.at(epoch)).unwrap(copy, context, key);
  }
  kj::Maybe<Failure> tryKeepOnly(uint64_t epoch) override {
    auto failing = token.failing;
    token.failing = Token::Failing::NO;
    if (failing != Token::Failing::BEFORE) {
      std::erase_if(token.keys, [epoch](auto& key) { return key.first != epoch; });
    }
    if (failing == Token::Failing::NO) return nullptr;
    return Failure{KJ_EXCEPTION(FAILED, "the token was pulled out"), false};
  }
  kj::String describe() const override { return kj::str("the token"); }

private:
  static constexpr kj::byte PADDING = 0xa5;
  Token& token;
};

struct TokenWorld {
  Token token;
  TestDisk disk;

  kj::Own<KeyTree> open() {
    return kj::heap<KeyTree>(kj::heap<TestKeyFiles>(disk), kj::heap<TokenRoot>(token));
  }
};

TEST_CASE("E03 a key tree lives under a root that is no file, and whose wrapped keys are long") {
  TokenWorld world;
  auto tree = world.open();
  create(*tree, "one");
  create(*tree, "two");
  auto content = KeyringWorld::contentOf(*tree);
  CHECK(content.size() == 2);
  tree = world.open();
  CHECK(KeyringWorld::contentOf(*tree) == content);
  const auto before = tree->epoch();
  destroy(*tree, "one");
  CHECK(tree->epoch() > before);
  // The erasure is the root's: it has one key, of a new epoch.
  REQUIRE(world.token.keys.size() == 1);
  CHECK(world.token.keys.begin()->first == tree->epoch());
  content.erase("one");
  CHECK(KeyringWorld::contentOf(*world.open()) == content);
  // What the root does not know opens nothing.
  world.token.keys.begin()->second = randomKey();
  CHECK(says(failureOf([&]() { world.open(); }), "the token"));
}

TEST_CASE("R02 a root of which nobody knows what it destroyed loses no key but the one") {
  for (auto failing : {Token::Failing::BEFORE, Token::Failing::BEHIND}) {
    TokenWorld world;
    auto tree = world.open();
    create(*tree, "one");
    create(*tree, "two");
    auto content = KeyringWorld::contentOf(*tree);
    world.token.failing = failing;
    CHECK(says(failureOf([&]() { destroy(*tree, "one"); }), "pulled out"));
    // The same process tries it again, or the next one begins with what is there.
    content.erase("one");
    SECTION("tried again") {
      kj::runCatchingExceptions([&]() { destroy(*tree, "one"); });
    }
    SECTION("opened anew") {
      tree = world.open();
    }
    create(*tree, "three");
    auto now = KeyringWorld::contentOf(*tree);
    now.erase("three");
    CHECK(now == content);
    CHECK(world.token.keys.size() == 1);
    CHECK(KeyringWorld::contentOf(*world.open()).size() == 2);
  }
}

}  // namespace
}  // namespace bothy
