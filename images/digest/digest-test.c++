#include "digest/digest.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("a digest is the SHA-256 that FIPS 180 gives for abc") {
  auto digest = digestOf("abc"_kj.asBytes());
  CHECK(digest.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(digest.bytes == 3);
}

TEST_CASE("a file has the digest of its content, whatever its size") {
  for (size_t size : {0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1}) {
    auto content = kj::heapArray<kj::byte>(size);
    for (size_t i = 0; i < size; ++i) content[i] = static_cast<kj::byte>(i * 7);
    auto file = kj::newInMemoryFile(kj::nullClock());
    file->writeAll(content);
    CHECK(digestOf(*file) == digestOf(content));
  }
}

}  // namespace
}  // namespace bothy
