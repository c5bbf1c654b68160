#include "rpc/action-shares.h"

#include <kj/async-io.h>

#include <catch2/catch_test_macros.hpp>

#include "rpc/test-notes.h"

namespace bothy {
namespace {

struct World {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  RecordingLog log;
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  struct FixedClock final: public kj::Clock {
    kj::Date now() const override { return kj::UNIX_EPOCH; }
  } clock;
  ActionShares shares{log, timer, clock};

  uint32_t admitted(kj::StringPtr actor, uint32_t asked) {
    uint32_t result = 0;
    for (uint32_t i = 0; i < asked; i++) result += shares.admits(actor) ? 1 : 0;
    return result;
  }
  void pass(kj::Duration time) {
    timer.advanceTo(timer.now() + time);
    scope.poll();
  }
  static kj::String leftOut(kj::StringPtr actor, uint64_t count) {
    return kj::str(
        "{\"time\":\"1970-01-01T00:00:00.000Z\",\"what\":\"actions left out\",\"actor\":\"", actor,
        "\",\"count\":", count, "}\n");
  }
};

TEST_CASE("S42 an actor who does something over and over takes nothing of what others may note") {
  World w;
  CHECK(w.admitted("eve", 10'000) == ActionShares::MAX_OF_ACTOR);
  CHECK(w.admitted("ann", 1) == 1);
  w.pass(ActionShares::PERIOD);
  REQUIRE(w.log.lines.size() == 1);
  CHECK(w.log.lines[0] == w.leftOut("eve", 10'000 - ActionShares::MAX_OF_ACTOR));
  CHECK(w.admitted("eve", 2) == 2);
}

TEST_CASE(
    "S42 all actors together note so many lines a minute, and each hears how many of his are left "
    "out") {
  World w;
  uint32_t noted = 0;
  for (uint32_t i = 0; i < ActionShares::MAX_ACTORS + 2; i++) {
    noted += w.admitted(kj::str("actor ", i), ActionShares::MAX_OF_ACTOR);
  }
  CHECK(noted == ActionShares::MAX_IN_ALL);
  w.pass(ActionShares::PERIOD);
  constexpr auto WHOLE = ActionShares::MAX_IN_ALL / ActionShares::MAX_OF_ACTOR;
  REQUIRE(w.log.lines.size() == ActionShares::MAX_ACTORS - WHOLE + 1);
  CHECK(w.log.lines.back() == w.leftOut("others", 2 * ActionShares::MAX_OF_ACTOR));
}

TEST_CASE("a minute in which nothing was left out ends without a word") {
  World w;
  CHECK(w.admitted("ann", ActionShares::MAX_OF_ACTOR) == ActionShares::MAX_OF_ACTOR);
  w.pass(ActionShares::PERIOD);
  CHECK(w.admitted("ann", ActionShares::MAX_OF_ACTOR) == ActionShares::MAX_OF_ACTOR);
  CHECK(w.log.lines.size() == 0);
}

}  // namespace
}  // namespace bothy
