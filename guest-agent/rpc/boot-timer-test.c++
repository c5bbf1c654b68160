#include "rpc/boot-timer.h"

#include <kj/async-io.h>
#include <time.h>

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <string>

namespace bothy {
namespace {

// The clocks of the timerfds that this process has, see proc(5).
kj::Vector<int> clocksOfTimers() {
  kj::Vector<int> clocks;
  for (auto& entry : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
    std::ifstream file(entry.path());
    std::string word;
    while (file >> word) {
      if (word != "clockid:") continue;
      int clock;
      file >> clock;
      clocks.add(clock);
    }
  }
  return clocks;
}

TEST_CASE("a wait of the boot timer lasts as long as asked, by the clock that counts suspensions") {
  auto io = kj::setupAsyncIo();
  BootTimer timer(io.unixEventPort);
  constexpr auto DELAY = 20 * kj::MILLISECONDS;
  const auto began = timer.now();
  {
    auto waiting = timer.afterDelay(DELAY);
    auto clocks = clocksOfTimers();
    REQUIRE(clocks.size() == 1);
    CHECK(clocks[0] == CLOCK_BOOTTIME);
    waiting.wait(io.waitScope);
  }
  CHECK(timer.now() - began >= DELAY);
  CHECK(clocksOfTimers().size() == 0);
  timer.atTime(began).wait(io.waitScope);
}

TEST_CASE("a wait of the boot timer may last for a hundred years") {
  auto io = kj::setupAsyncIo();
  BootTimer timer(io.unixEventPort);
  CHECK_FALSE(timer.afterDelay(100 * 365 * kj::DAYS).poll(io.waitScope));
}

}  // namespace
}  // namespace bothy
