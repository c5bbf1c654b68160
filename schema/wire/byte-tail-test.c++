#include "wire/byte-tail.h"

#include <kj/exception.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

kj::byte expectedAt(uint64_t sequence) {
  return static_cast<kj::byte>(sequence * 31 % 251);
}

void append(ByteTail& tail, size_t size) {
  auto data = kj::heapArray<kj::byte>(size);
  for (size_t i = 0; i < size; i++) data[i] = expectedAt(tail.end() + i);
  tail.append(data);
}

bool isIntact(const ByteTail& tail) {
  auto data = kj::heapArray<kj::byte>(tail.end() - tail.begin());
  tail.copy(tail.begin(), data);
  for (size_t i = 0; i < data.size(); i++) {
    if (data[i] != expectedAt(tail.begin() + i)) return false;
  }
  return true;
}

TEST_CASE("a byte tail keeps everything up to its capacity, then the last bytes") {
  ByteTail tail(16384);
  CHECK(tail.begin() == 0);
  CHECK(tail.end() == 0);
  uint64_t total = 0;
  for (size_t size : {1, 10, 4000, 85, 1, 5000, 7287, 1, 9000, 16384, 3, 40000, 5}) {
    append(tail, size);
    total += size;
    CHECK(tail.end() == total);
    if (total <= 16384) CHECK(tail.begin() == 0);
    CHECK(tail.end() - tail.begin() >= kj::min(total, uint64_t(16384)));
    CHECK(isIntact(tail));
  }
}

TEST_CASE(
    "a byte tail that is given less keeps the last bytes, and more when it is given more again") {
  ByteTail tail(32768);
  append(tail, 30001);
  tail.limit(8192);
  CHECK(tail.size() == 8192);
  CHECK(tail.begin() == 30001 - 8192);
  CHECK(isIntact(tail));
  append(tail, 5000);
  CHECK(tail.size() == 8192);
  CHECK(tail.end() - tail.begin() == 8192);
  CHECK(isIntact(tail));
  CHECK(tail.sizeWith(1) == 16384);
  tail.limit(32768);
  CHECK(tail.size() == 8192);
  append(tail, 5000);
  // What was lost is not there again.
  CHECK(tail.size() == 16384);
  CHECK(tail.end() - tail.begin() == 8192 + 5000);
  CHECK(isIntact(tail));
}

TEST_CASE("bytes that a byte tail has lost cannot be asked for") {
  ByteTail tail(4096);
  append(tail, 5000);
  kj::byte byte;
  CHECK_THROWS_AS(tail.copy(0, kj::arrayPtr(&byte, 1)), kj::Exception);
  CHECK_THROWS_AS(tail.copy(5000, kj::arrayPtr(&byte, 1)), kj::Exception);
}

}  // namespace
}  // namespace bothy
