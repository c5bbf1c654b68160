#include "system/activity-watch.h"

#include <kj/debug.h>
#include <kj/vector.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

struct World {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  kj::Vector<Activity> told;
  ActivityWatch watch{timer, [this](const Activity& activity) { told.add(activity); }};

  void pass(kj::Duration time) {
    timer.advanceTo(timer.now() + time);
    scope.poll();
  }
};

TEST_CASE("what somebody does after a pause is told at once, and what follows once a minute") {
  World w;
  w.watch.noteInput();
  w.scope.poll();
  REQUIRE(w.told.size() == 1);
  CHECK(KJ_ASSERT_NONNULL(w.told[0].lastInput) == w.timer.now());
  for (int i = 0; i < 100; i++) {
    w.pass(ACTIVITY_PAUSE / 200);
    w.watch.noteInput();
    w.watch.noteRunning({.commands = static_cast<kj::uint>(i) % 2, .terminals = 1});
  }
  CHECK(w.told.size() == 1);
  w.pass(ACTIVITY_PAUSE / 2);
  REQUIRE(w.told.size() == 2);
  CHECK(KJ_ASSERT_NONNULL(w.told[1].lastInput) == w.timer.now() - ACTIVITY_PAUSE / 2);
  CHECK(w.told[1].running == RunningPrograms{.commands = 1, .terminals = 1});
  w.pass(10 * ACTIVITY_PAUSE);
  // Nothing has changed.
  CHECK(w.told.size() == 2);
  w.watch.noteRunning({.commands = 1, .terminals = 1});
  w.scope.poll();
  CHECK(w.told.size() == 2);
  w.watch.noteRunning({.commands = 0, .terminals = 1});
  w.scope.poll();
  REQUIRE(w.told.size() == 3);
  CHECK(w.told[2].running.commands == 0);
}

TEST_CASE("P26 a wake lock is told of at once, whatever else was told just now") {
  World w;
  w.watch.noteInput();
  w.pass(10 * kj::SECONDS);
  w.watch.noteInput();
  WakeSummary wakes{.count = 1, .uid = 7, .untilMillis = 1, .label = "make"};
  w.watch.noteWakes(wakes);
  w.scope.poll();
  REQUIRE(w.told.size() == 2);
  CHECK((w.told[1].wakes == wakes && w.told[1].lastInput == w.timer.now()));
  // The same again is no news, and no more than one a second is told.
  w.watch.noteWakes(wakes);
  w.watch.noteWakes({});
  w.watch.noteWakes(wakes);
  w.watch.noteWakes({});
  w.scope.poll();
  CHECK(w.told.size() == 2);
  w.pass(WAKE_PAUSE);
  REQUIRE(w.told.size() == 3);
  CHECK(w.told[2].wakes.count == 0);
  w.pass(ACTIVITY_PAUSE);
  CHECK(w.told.size() == 3);
}

TEST_CASE("that programs run without anybody who types is told as that") {
  World w;
  w.watch.noteRunning({.commands = 1});
  w.scope.poll();
  REQUIRE(w.told.size() == 1);
  CHECK(w.told[0].lastInput == nullptr);
}

}  // namespace
}  // namespace bothy
