#include "system/disk-watch.h"

#include <kj/async-io.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr uint64_t GIB = 1024 * 1024 * 1024;

TEST_CASE("P44 a disk at nine tenths is told once, and again when it was freed meanwhile") {
  bool isFilling = false;
  auto told = [&](uint64_t hundredths) {
    return isNewlyFilling(hundredths * GIB / 100 + 1, GIB, isFilling);
  };
  CHECK_FALSE(told(50));
  CHECK_FALSE(told(89));
  CHECK(told(91));
  CHECK_FALSE(told(99));
  CHECK_FALSE(told(86));
  CHECK_FALSE(told(91));
  CHECK_FALSE(told(80));
  CHECK(told(91));
}

TEST_CASE("a file system without a size is not full") {
  bool isFilling = false;
  CHECK_FALSE(isNewlyFilling(0, 0, isFilling));
}

TEST_CASE("where the kernel tells of no pressure a look is enough") {
  auto io = kj::setupAsyncIo();
  DiskWatch watch(io.unixEventPort, kj::str("/proc"), "/no/such/pressure",
                  [](uint64_t, uint64_t) {});
  watch.look();
}

}  // namespace
}  // namespace bothy
