#include "terminal/scrollback.h"

#include <kj/exception.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

kj::byte expectedAt(uint64_t sequence) {
  return static_cast<kj::byte>(sequence * 31 % 251);
}

void append(Scrollback& scrollback, size_t size) {
  auto data = kj::heapArray<kj::byte>(size);
  for (size_t i = 0; i < size; i++) data[i] = expectedAt(scrollback.end() + i);
  scrollback.append(data);
}

bool isIntact(const Scrollback& scrollback) {
  auto data = kj::heapArray<kj::byte>(scrollback.end() - scrollback.begin());
  scrollback.copy(scrollback.begin(), data);
  for (size_t i = 0; i < data.size(); i++) {
    if (data[i] != expectedAt(scrollback.begin() + i)) return false;
  }
  return true;
}

TEST_CASE("a scrollback keeps everything up to its capacity, then the last bytes") {
  Scrollback scrollback(16384);
  CHECK(scrollback.begin() == 0);
  CHECK(scrollback.end() == 0);
  uint64_t total = 0;
  for (size_t size : {1, 10, 4000, 85, 1, 5000, 7287, 1, 9000, 16384, 3, 40000, 5}) {
    append(scrollback, size);
    total += size;
    CHECK(scrollback.end() == total);
    if (total <= 16384) CHECK(scrollback.begin() == 0);
    CHECK(scrollback.end() - scrollback.begin() >= kj::min(total, uint64_t(16384)));
    CHECK(isIntact(scrollback));
  }
}

TEST_CASE("bytes that a scrollback has lost cannot be asked for") {
  Scrollback scrollback(4096);
  append(scrollback, 5000);
  kj::byte byte;
  CHECK_THROWS_AS(scrollback.copy(0, kj::arrayPtr(&byte, 1)), kj::Exception);
  CHECK_THROWS_AS(scrollback.copy(5000, kj::arrayPtr(&byte, 1)), kj::Exception);
}

}  // namespace
}  // namespace bothy
