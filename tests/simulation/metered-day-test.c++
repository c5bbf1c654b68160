#include "simulation/metered-day.h"

#include <kj/debug.h>
#include <string.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr int64_t DAY = 24ll * 3600 * 1000;

TEST_CASE("P27 a day's bill has what was used of it, to the interval") {
  DayPlan plan;
  plan.users = 200;
  plan.running = 10;
  plan.paused = 40;
  auto bill = simulateDay(1, plan);
  // Beside the day the moments in which it is made and booked.
  const int64_t beside = 20'000;
  const int64_t running = bill.metered.runningMillis - 10 * DAY;
  CHECK((running >= 0 && running <= 50 * beside));
  const int64_t paused = bill.metered.pausedMillis - 40 * DAY;
  CHECK((paused >= 0 && paused <= 40 * beside));
  CHECK(bill.metered.memoryMibMillis ==
        (bill.metered.runningMillis + bill.metered.pausedMillis) * 2048);
  CHECK(bill.metered.diskMibMillis == bill.metered.millis() * 10240);
  // 150 of a thousand of two processors each, all of which was read.
  CHECK(bill.metered.cpuMicros == 10 * DAY * 1000 * 2 * 150 / 1000);
  CHECK(bill.alwaysOn.runningMillis == 200 * DAY);
  CHECK(bill.metered.millis() < bill.alwaysOn.millis() / 3);
}

TEST_CASE("prices are three, and a file that has others says where") {
  auto prices = parsePrices(
      "# mine\n cpu-second = 2\nmemory-mib-second=0.5 # a comment\n\ndisk-gib-second = 0.25\n");
  CHECK((prices.cpuSecond == 2 && prices.memoryMibSecond == 0.5 && prices.diskGibSecond == 0.25));
  UsageSums sums;
  sums.cpuMicros = 3'000'000;
  sums.memoryMibMillis = 4000;
  sums.diskMibMillis = 8 * 1024 * 1000;
  CHECK(prices.of(sums) == 6 + 2 + 2);
  auto faultOf = [](kj::StringPtr text) {
    auto fault = kj::runCatchingExceptions([&]() { parsePrices(text); });
    return kj::str(KJ_ASSERT_NONNULL(fault).getDescription());
  };
  CHECK(strstr(faultOf("cpu-second = 1").cStr(), "are wanted") != nullptr);
  CHECK(strstr(faultOf("\ncpu-second = x").cStr(), "number = 2") != nullptr);
  CHECK(strstr(faultOf("gpu = 1").cStr(), "gpu") != nullptr);
  CHECK(strstr(faultOf("cpu-second").cStr(), "name = value") != nullptr);
  CHECK(strstr(faultOf("cpu-second = -1").cStr(), "not below 0") != nullptr);
}

}  // namespace
}  // namespace bothy
