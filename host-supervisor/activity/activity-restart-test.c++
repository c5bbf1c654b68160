// What a bothyd that starts anew makes of what the one before has known.

#include <catch2/catch_test_macros.hpp>

#include "activity/test-activity-bed.h"

namespace bothy {
namespace {

struct Bed: public ActivityBed {
  const kj::TimePoint start = timer.now();
};

TEST_CASE("P26 a restart of bothyd makes no countdown longer that has begun") {
  Bed bed;
  auto& demo = bed.begin("demo");
  bed.pass(20 * kj::MINUTES);
  bed.restart();
  bed.pass(8 * kj::MINUTES);
  CHECK(demo.warnings.size() == 1);
  bed.pass(2 * kj::MINUTES);
  REQUIRE(demo.pauses.size() == 1);
  CHECK(demo.pauses[0] - bed.start == 30 * kj::MINUTES);
}

TEST_CASE("P26 after a restart nobody is paused before clients could come back, and been warned") {
  Bed bed;
  auto& demo = bed.begin("demo");
  bed.pass(29 * kj::MINUTES + 50 * kj::SECONDS);
  CHECK(demo.warnings.size() == 1);
  bed.restart();
  bed.pass(119 * kj::SECONDS);
  CHECK(demo.pauses.size() == 0);
  CHECK(demo.warnings.size() == 2);
  auto visit = bed.come("demo");
  bed.pass(5 * kj::HOURS);
  CHECK(demo.pauses.size() == 0);
}

TEST_CASE(
    "P26 who was connected when bothyd was killed has the whole time from its next start on") {
  Bed bed;
  auto& demo = bed.begin("demo");
  // A countdown that is stored, and a return.
  bed.pass(20 * kj::MINUTES);
  CHECK(bed.store.activities["demo"].idleNanos == bed.nanos(bed.start));
  auto visit = bed.come("demo");
  bed.scope.poll();
  CHECK(bed.store.activities["demo"].idleNanos == 0);
  bed.pass(5 * kj::HOURS);
  bed.restart();
  bed.pass(29 * kj::MINUTES);
  CHECK(demo.pauses.size() == 0);
  bed.pass(1 * kj::MINUTES);
  CHECK(demo.pauses.size() == 1);
}

TEST_CASE(
    "P26 connections of an earlier bothyd keep a workspace awake, as its guest tells of them") {
  Bed bed;
  auto& demo = bed.begin("demo");
  auto visit = bed.come("demo");
  bed.restart();
  demo.guest.earlierLanes = 1;
  bed.pass(5 * kj::HOURS);
  CHECK(demo.pauses.size() == 0);
  CHECK(bed.why("demo").reasons[0].kind == Wakefulness::Reason::Kind::EARLIER_LANES);
  demo.guest.earlierLanes = 0;
  bed.pass(31 * kj::MINUTES);
  CHECK(demo.pauses.size() == 1);
}

TEST_CASE("P26 no wake lock is lost over a restart, and none holds longer for it") {
  Bed bed;
  auto& demo = bed.begin("demo");
  auto row = bed.lock("demo", 2 * kj::HOURS);
  bed.lock("demo", 10 * kj::MINUTES);
  bed.pass(1 * kj::HOURS);
  bed.restart();
  auto told = bed.why("demo");
  REQUIRE(told.reasons.size() == 1);
  CHECK((told.reasons[0].id == row.id && told.reasons[0].untilNanos == row.untilNanos));
  bed.pass(1 * kj::HOURS + 29 * kj::MINUTES);
  CHECK(demo.pauses.size() == 0);
  CHECK(bed.store.locks.size() == 0);
  bed.pass(1 * kj::MINUTES);
  CHECK(demo.pauses.size() == 1);
}

TEST_CASE("P26 a wake lock that ended while no bothyd ran is over") {
  Bed bed;
  auto& demo = bed.begin("demo");
  bed.lock("demo", 10 * kj::MINUTES);
  bed.keeper = nullptr;
  bed.pass(1 * kj::HOURS);
  bed.restart();
  bed.pass(1 * kj::SECONDS);
  CHECK((bed.store.locks.size() == 0 && bed.why("demo").reasons.size() == 0));
  bed.pass(30 * kj::MINUTES);
  CHECK(demo.pauses.size() == 1);
}

TEST_CASE("P26 a clock that is set keeps nobody awake for ever, and puts nobody to sleep") {
  Bed bed;
  auto& demo = bed.begin("demo");
  SECTION("forward") {
    bed.pass(10 * kj::MINUTES);
    bed.clock.offset += 30 * kj::DAYS;
    bed.pass(19 * kj::MINUTES);
    CHECK(demo.pauses.size() == 0);
    bed.pass(1 * kj::MINUTES);
    CHECK(demo.pauses.size() == 1);
  }
  SECTION("back, over a restart") {
    bed.lock("demo", 1 * kj::HOURS);
    bed.pass(10 * kj::MINUTES);
    bed.clock.offset -= 30 * kj::DAYS;
    bed.restart();
    bed.pass(2 * kj::HOURS);
    CHECK(demo.pauses.size() == 1);
  }
}

TEST_CASE("P26 figures of a workspace's own are there after a restart") {
  Bed bed;
  auto& demo = bed.begin("demo");
  auto wishes =
      kj::heapArray<ActivityKeeper::FigureWish>({{IdleFigure::PAUSE_AFTER, uint32_t{7200}}});
  bed.keeper->changePolicy("demo", kj::mv(wishes), "uid 0").wait(bed.scope);
  bed.move("demo", WorkspaceState::STOPPED, Cause::REQUEST);
  bed.restart();
  CHECK(bed.why("demo").policy.pauseAfter == 7200);
  bed.move("demo", WorkspaceState::STARTING, Cause::REQUEST);
  bed.move("demo", WorkspaceState::RUNNING, Cause::REQUEST);
  bed.pass(119 * kj::MINUTES);
  CHECK(demo.pauses.size() == 0);
  bed.pass(1 * kj::MINUTES);
  CHECK(demo.pauses.size() == 1);
}

}  // namespace
}  // namespace bothy
