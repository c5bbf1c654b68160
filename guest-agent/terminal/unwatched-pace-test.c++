#include "terminal/unwatched-pace.h"

#include <catch2/catch_test_macros.hpp>

#include "schema/limits.capnp.h"
#include "terminal/terminal-test-world.h"

namespace bothy {
namespace {

constexpr kj::Duration SECOND = 1 * kj::SECONDS;

TEST_CASE("P06 what nobody watches is read at a pace, after a burst") {
  kj::TimerImpl timer(kj::origin<kj::TimePoint>());
  UnwatchedPace pace(timer);
  pace.note(rpc::SCROLLBACK_BYTES);
  CHECK(pace.isAllowed());
  pace.note(rpc::UNWATCHED_BYTES_PER_SECOND);
  CHECK_FALSE(pace.isAllowed());
  timer.advanceTo(timer.now() + SECOND / 2);
  CHECK_FALSE(pace.isAllowed());
  timer.advanceTo(timer.now() + SECOND / 2);
  CHECK(pace.isAllowed());
}

// In virtual time.
struct FloodWorld {
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  TerminalTestWorld world{timer};

  uint64_t produced(rpc::Terminal::Client terminal) {
    return terminal.infoRequest().send().wait(world.scope).getInfo().getProduced();
  }
  // Until so much has come, and nothing more does: turns of the loop, each of which real time passes in.
  uint64_t settled(kj::ArrayPtr<TerminalTestWorld::Opened> terminals, uint64_t atLeast) {
    constexpr int QUIET_TURNS = 50;
    uint64_t before = 0;
    for (int quiet = 0; quiet < QUIET_TURNS;) {
      timer.advanceTo(timer.now());
      world.io.provider->getTimer().afterDelay(1 * kj::MILLISECONDS).wait(world.scope);
      uint64_t sum = 0;
      for (auto& opened : terminals) sum += produced(opened.terminal);
      quiet = sum > before || sum < atLeast ? 0 : quiet + 1;
      before = sum;
    }
    return before;
  }
};

TEST_CASE("P06 floods that nobody watches share a pace, and whoever comes sees them run on") {
  FloodWorld w;
  TerminalTestWorld::Opened floods[] = {w.world.open("yes"), w.world.open("yes"),
                                        w.world.open("yes")};
  constexpr uint64_t TURNS = 3 * 64 * 1024;  // each may be within one
  const auto burst = w.settled(floods, rpc::SCROLLBACK_BYTES);
  CHECK(burst >= rpc::SCROLLBACK_BYTES);
  CHECK(burst <= rpc::SCROLLBACK_BYTES + TURNS);
  w.timer.advanceTo(w.timer.now() + SECOND / 8);
  const auto later = w.settled(floods, burst + rpc::UNWATCHED_BYTES_PER_SECOND / 8 - TURNS);
  CHECK(later >= burst + rpc::UNWATCHED_BYTES_PER_SECOND / 8 - TURNS);
  CHECK(later <= burst + rpc::UNWATCHED_BYTES_PER_SECOND / 8 + TURNS);

  Seen seen;
  auto request = w.world.attachRequest(floods[0].terminal, seen);
  request.getFrom().setNow();
  auto attachment = request.send().wait(w.world.scope).getAttachment();
  auto before = w.produced(floods[0].terminal);
  for (int turns = 0; seen.bytes.size() < 4 * rpc::SCROLLBACK_BYTES; ++turns) {
    w.timer.advanceTo(w.timer.now() + 1 * kj::NANOSECONDS);
    w.world.io.provider->getTimer().afterDelay(1 * kj::MILLISECONDS).wait(w.world.scope);
    REQUIRE(turns < 10000);
  }
  CHECK(w.produced(floods[0].terminal) > before);
  for (auto& opened : floods) {
    auto kill = opened.terminal.signalRequest();
    kill.setNumber(9);
    kill.send().wait(w.world.scope);
  }
}

}  // namespace
}  // namespace bothy
