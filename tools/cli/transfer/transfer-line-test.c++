#include "transfer/transfer-line.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr uint64_t MIB = 1 << 20;

TEST_CASE("a copy shows its share, rate and the time that is left") {
  CHECK(describeTransfer(64 * MIB, 256 * MIB, 2 * kj::SECONDS) ==
        " 25% [=====               ]  64 MiB of 256 MiB  32 MiB/s  6.0s left");
  CHECK(describeTransfer(256 * MIB, 256 * MIB, 8 * kj::SECONDS) ==
        "100% [====================]  256 MiB of 256 MiB  32 MiB/s  0.0s left");
}

TEST_CASE("before a rate is known none is shown") {
  CHECK(describeTransfer(0, 256 * MIB, 0 * kj::SECONDS) ==
        "  0% [                    ]  0 B of 256 MiB");
}

TEST_CASE("without a total only what is known is shown") {
  CHECK(describeTransfer(3 * MIB, 0, 1 * kj::SECONDS) == "3.0 MiB  3.0 MiB/s");
}

TEST_CASE("a file that grew is complete, not more") {
  CHECK(describeTransfer(3 * MIB, MIB, 0 * kj::SECONDS) ==
        "100% [====================]  1.0 MiB of 1.0 MiB");
}

TEST_CASE("P16 the line of a copy is never as wide as the terminal") {
  constexpr kj::StringPtr PROGRESS = "100% [====]  64 MiB of 64 MiB"_kj;
  CHECK(fitTransfer("big", PROGRESS, 80) == kj::str("big  ", PROGRESS));
  CHECK(fitTransfer("big", PROGRESS, PROGRESS.size() + 6) == kj::str("big  ", PROGRESS));
  CHECK(fitTransfer("big", PROGRESS, PROGRESS.size() + 5) == PROGRESS);
  CHECK(fitTransfer("big", PROGRESS, 20) == "100% [====]  64 MiB");
  CHECK(fitTransfer("big", PROGRESS, 0) == "");
}

}  // namespace
}  // namespace bothy
