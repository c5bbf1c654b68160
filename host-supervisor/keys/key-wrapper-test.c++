#include "keys/key-wrapper.h"

#include <string.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr auto CONTEXT = "keyring 1 alice"_kj;

TEST_CASE("E02 a wrapped key opens under its key and context alone, and leaves zeros elsewhere") {
  auto outer = randomKey(), other = randomKey(), key = randomKey();
  auto wrapped = KeyWrapper(outer).wrap(key, CONTEXT.asBytes());
  Secret opened(KEY_BYTES), zeros(KEY_BYTES);

  CHECK(KeyWrapper(outer).unwrap(wrapped, CONTEXT.asBytes(), opened));
  CHECK(opened.bytes() == key.bytes());

  CHECK_FALSE(KeyWrapper(other).unwrap(wrapped, CONTEXT.asBytes(), opened));
  CHECK(opened.bytes() == zeros.bytes());

  opened = key.clone();
  CHECK_FALSE(KeyWrapper(outer).unwrap(wrapped, "keyring 1 bob"_kj.asBytes(), opened));
  CHECK(opened.bytes() == zeros.bytes());
}

TEST_CASE("no bit of a wrapped key can change") {
  auto outer = randomKey(), key = randomKey();
  KeyWrapper wrapper(outer);
  auto wrapped = wrapper.wrap(key, CONTEXT.asBytes());
  Secret opened(KEY_BYTES);
  for (size_t i = 0; i < sizeof(wrapped) * 8; ++i) {
    auto changed = wrapped;
    reinterpret_cast<kj::byte*>(&changed)[i / 8] ^= 1 << (i % 8);
    REQUIRE_FALSE(wrapper.unwrap(changed, CONTEXT.asBytes(), opened));
  }
  CHECK(wrapper.unwrap(wrapped, CONTEXT.asBytes(), opened));
}

TEST_CASE("wrapping twice gives other bytes, so that no nonce comes twice") {
  auto outer = randomKey(), key = randomKey();
  KeyWrapper wrapper(outer);
  auto first = wrapper.wrap(key, CONTEXT.asBytes());
  auto second = wrapper.wrap(key, CONTEXT.asBytes());
  CHECK(memcmp(first.nonce, second.nonce, NONCE_BYTES) != 0);
  CHECK(memcmp(first.content, second.content, KEY_BYTES) != 0);
}

TEST_CASE("a seal holds for its content and its key alone") {
  auto outer = randomKey(), other = randomKey();
  auto seal = KeyWrapper(outer).seal("content"_kj.asBytes());
  CHECK(KeyWrapper(outer).isSealed(seal, "content"_kj.asBytes()));
  CHECK_FALSE(KeyWrapper(outer).isSealed(seal, "contend"_kj.asBytes()));
  CHECK_FALSE(KeyWrapper(outer).isSealed(seal, "conten"_kj.asBytes()));
  CHECK_FALSE(KeyWrapper(other).isSealed(seal, "content"_kj.asBytes()));
}

TEST_CASE("a seal is AES-256-GCM's, as test case 13 of its specification has it") {
  Secret zeros(KEY_BYTES);
  Seal seal = {{},
               {0x53, 0x0f, 0x8a, 0xfb, 0xc7, 0x45, 0x36, 0xb9, 0xa9, 0x63, 0xb4, 0xf1, 0xc4, 0xcb,
                0x73, 0x8b}};
  CHECK(KeyWrapper(zeros).isSealed(seal, nullptr));
}

}  // namespace
}  // namespace bothy
