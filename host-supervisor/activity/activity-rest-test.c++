// What becomes of workspaces that stay where a rule has brought them.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "activity/test-activity-bed.h"

namespace bothy {
namespace {

using Done = IdleWorld::Done;

// A workspace that is paused.
struct Bed: public ActivityBed {
  Workspace& demo = begin("demo");
  kj::TimePoint paused = timer.now();

  Bed() { pause(); }
  void pause() {
    move("demo", WorkspaceState::PAUSING, Cause::REQUEST);
    move("demo", WorkspaceState::PAUSED, Cause::REQUEST);
    paused = timer.now();
  }
  kj::Duration since(kj::TimePoint time) { return time - paused; }
  void set(IdleFigure figure, uint32_t value) {
    auto wishes = kj::heapArray<ActivityKeeper::FigureWish>({{figure, value}});
    auto outcome = keeper->changePolicy("demo", kj::mv(wishes), "uid 0").wait(scope);
    REQUIRE(outcome.is<Wakefulness>());
  }
};

TEST_CASE("P27 P42 what is paused is hibernated after 10 minutes, and expires 30 days later") {
  Bed bed;
  auto& demo = bed.demo;
  bed.pass(10 * kj::MINUTES - 1 * kj::SECONDS);
  CHECK(demo.hibernations.size() == 0);
  bed.pass(1 * kj::SECONDS);
  REQUIRE(demo.hibernations.size() == 1);
  CHECK(bed.lastAct == "it has been paused for 600 s (hibernate-after)");
  CHECK(demo.warnings.size() == 0);
  bed.pass(27 * kj::DAYS);
  REQUIRE(demo.warnings.size() == 1);
  CHECK(bed.lastWarning == "nobody uses it: in 259200 s expire-after destroys its disk");
  auto next = KJ_ASSERT_NONNULL(bed.why("demo").next);
  CHECK((next.rule == IdleRule::EXPIRE && next.isWarned));
  CHECK(next.atNanos == bed.nanos(demo.hibernations[0] + 30 * kj::DAYS));
  bed.pass(3 * kj::DAYS - 1 * kj::SECONDS);
  CHECK(demo.expiries.size() == 0);
  bed.pass(1 * kj::SECONDS);
  REQUIRE(demo.expiries.size() == 1);
  CHECK(bed.lastAct == "it has been hibernated for 2592000 s (expire-after)");
  auto told = bed.why("demo");
  CHECK((told.next == nullptr && told.state == WorkspaceState::EXPIRED));
  CHECK(KJ_ASSERT_NONNULL(told.past).rule == IdleRule::EXPIRE);
  // Once, and nothing goes on for what has expired.
  bed.pass(100 * kj::DAYS);
  CHECK((demo.expiries.size() == 1 && demo.warnings.size() == 1));
  CHECK((bed.keeper->waiting() == 0 && bed.keeper->isIdle()));
}

TEST_CASE("P26 P58 each rule says so, also of what somebody else has paused") {
  Bed bed;
  bed.pass(11 * kj::MINUTES);
  auto past = KJ_ASSERT_NONNULL(bed.why("demo").past);
  CHECK((past.rule == IdleRule::HIBERNATE && past.atNanos == bed.nanos(bed.demo.hibernations[0])));
  bed.restart();
  CHECK(KJ_ASSERT_NONNULL(bed.why("demo").past).atNanos == past.atNanos);
  bed.move("demo", WorkspaceState::RESUMING, Cause::REQUEST);
  bed.move("demo", WorkspaceState::RUNNING, Cause::REQUEST);
  CHECK(bed.why("demo").past == nullptr);
  // From the beginning.
  bed.pass(41 * kj::MINUTES);
  CHECK((bed.demo.pauses.size() == 1 && bed.demo.hibernations.size() == 2));
}

TEST_CASE("P26 whoever comes before its turn keeps a paused workspace from being hibernated") {
  Bed bed;
  kj::Own<void> visit;
  SECTION("long before") {
    visit = bed.come("demo");
    bed.pass(1 * kj::DAYS);
  }
  SECTION("in the last moment") {
    bed.beforeAct = [&]() {
      if (visit.get() == nullptr) visit = bed.come("demo");
    };
    bed.pass(1 * kj::DAYS);
    CHECK(bed.demo.tries == 0);
  }
  CHECK(bed.demo.hibernations.size() == 0);
  CHECK(bed.why("demo").past == nullptr);
  bed.beforeAct = []() {};
  // Who leaves without waking it has not used it.
  visit = nullptr;
  bed.pass(1 * kj::SECONDS);
  CHECK(bed.demo.hibernations.size() == 1);
}

TEST_CASE("P26 a wake lock puts off what becomes of one that is paused or hibernated") {
  Bed bed;
  auto lock = bed.lock("demo", 20 * kj::DAYS);
  bed.pass(20 * kj::DAYS + 9 * kj::MINUTES);
  CHECK(bed.demo.hibernations.size() == 0);
  bed.pass(1 * kj::MINUTES);
  REQUIRE(bed.demo.hibernations.size() == 1);
  bed.pass(20 * kj::DAYS);
  bed.lock("demo", 30 * kj::DAYS);
  bed.pass(59 * kj::DAYS);
  CHECK(bed.demo.expiries.size() == 0);
  bed.pass(2 * kj::DAYS);
  CHECK(bed.demo.expiries.size() == 1);
}

TEST_CASE("P26 what is never to be done is not done") {
  Bed bed;
  SECTION("hibernated") {
    bed.set(IdleFigure::HIBERNATE_AFTER, 0);
    bed.pass(100 * kj::DAYS);
    CHECK(bed.demo.hibernations.size() == 0);
  }
  SECTION("expired") {
    bed.set(IdleFigure::EXPIRE_AFTER, 0);
    bed.pass(100 * kj::DAYS);
    CHECK((bed.demo.hibernations.size() == 1 && bed.demo.expiries.size() == 0));
  }
  CHECK(bed.demo.warnings.size() == 0);
  CHECK(bed.keeper->waiting() == 0);
}

TEST_CASE(
    "P44 P56 a hibernation that is refused is tried again, more and more seldom, and stays "
    "paused") {
  Bed bed;
  auto& demo = bed.demo;
  demo.refuses = true;
  // As where it is found out after its beginning, which events tell.
  demo.refusesLate = GENERATE(false, true);
  if (GENERATE(false, true)) bed.feedDelay = 2 * kj::SECONDS;
  bed.pass(11 * kj::MINUTES - 1 * kj::SECONDS);
  CHECK(demo.tries == 1);
  bed.pass(2 * kj::SECONDS);
  CHECK(demo.tries == 2);
  auto told = bed.why("demo");
  CHECK((told.state == WorkspaceState::PAUSED && told.past == nullptr));
  auto& next = KJ_ASSERT_NONNULL(told.next);
  CHECK((next.rule == IdleRule::HIBERNATE && next.failure == "the disk is full"));
  CHECK(next.atNanos == bed.nanos(bed.paused + 13 * kj::MINUTES));
  bed.pass(1 * kj::DAYS);
  CHECK(demo.tries < 32);
  CHECK(demo.tries > 24);
  demo.refuses = false;
  bed.pass(2 * kj::HOURS);
  CHECK(demo.hibernations.size() == 1);
  CHECK(KJ_ASSERT_NONNULL(bed.why("demo").next).failure == "");
}

TEST_CASE("P58 a hibernation that came to nothing leaves the rule that has paused it") {
  ActivityBed bed;
  auto& demo = bed.begin("demo");
  bed.pass(31 * kj::MINUTES);
  REQUIRE(demo.pauses.size() == 1);
  demo.refuses = demo.refusesLate = true;
  bed.pass(15 * kj::MINUTES);
  CHECK(demo.tries > 1);
  auto past = KJ_ASSERT_NONNULL(bed.why("demo").past);
  CHECK((past.rule == IdleRule::PAUSE && past.atNanos == bed.nanos(demo.pauses[0])));
  CHECK(bed.store.activities["demo"].rule == "pause-after");
}

TEST_CASE("P26 a pause that fails after its beginning is no use, and gives nobody time") {
  ActivityBed bed;
  auto& demo = bed.begin("demo");
  demo.refuses = demo.refusesLate = true;
  bed.pass(36 * kj::MINUTES);
  CHECK(demo.tries == 3);
  CHECK(demo.warnings.size() == 1);
  demo.refuses = false;
  bed.pass(2 * kj::MINUTES);
  CHECK(demo.pauses.size() == 1);
}

TEST_CASE("P27 a restart of bothyd makes no rest longer") {
  Bed bed;
  bed.pass(8 * kj::MINUTES);
  bed.restart();
  bed.pass(2 * kj::MINUTES);
  REQUIRE(bed.demo.hibernations.size() == 1);
  CHECK(bed.since(bed.demo.hibernations[0]) == 10 * kj::MINUTES);
  for (int i = 0; i < 29; i++) {
    bed.pass(1 * kj::DAYS);
    bed.restart();
  }
  CHECK((bed.demo.expiries.size() == 0 && bed.demo.warnings.size() == 1));
  bed.pass(1 * kj::DAYS);
  CHECK(bed.demo.expiries.size() == 1);
}

TEST_CASE("P26 after a restart nothing is hibernated before clients could come back") {
  Bed bed;
  auto visit = bed.come("demo");
  bed.pass(1 * kj::DAYS);
  bed.restart();
  bed.pass(119 * kj::SECONDS);
  CHECK(bed.demo.hibernations.size() == 0);
  bed.pass(1 * kj::SECONDS);
  CHECK(bed.demo.hibernations.size() == 1);
}

TEST_CASE("P26 nothing expires without its warning, whatever the clock says") {
  Bed bed;
  bed.pass(1 * kj::HOURS);
  REQUIRE(bed.demo.hibernations.size() == 1);
  SECTION("a clock that is years ahead after a restart") {
    bed.clock.offset += 900 * kj::DAYS;
    bed.restart();
  }
  SECTION("no bothyd for long") {
    bed.keeper = nullptr;
    bed.pass(40 * kj::DAYS);
    bed.restart();
  }
  bed.pass(1 * kj::SECONDS);
  CHECK(bed.demo.warnings.size() == 1);
  bed.pass(3 * kj::DAYS - 2 * kj::SECONDS);
  CHECK(bed.demo.expiries.size() == 0);
  bed.pass(2 * kj::SECONDS);
  CHECK(bed.demo.expiries.size() == 1);
}

TEST_CASE("P26 one that has less time than its warning is warned when it is hibernated") {
  Bed bed;
  bed.set(IdleFigure::EXPIRE_AFTER, 3600);
  bed.pass(10 * kj::MINUTES);
  REQUIRE(bed.demo.warnings.size() == 1);
  bed.pass(1 * kj::HOURS);
  REQUIRE(bed.demo.expiries.size() == 1);
  CHECK(bed.demo.expiries[0] - bed.demo.hibernations[0] == 1 * kj::HOURS);
}

TEST_CASE("P26 P58 why says which program of the guest keeps it awake, and for whom") {
  ActivityBed bed;
  auto& demo = bed.begin("demo");
  const auto start = bed.timer.now();
  demo.guest.wakes = 3;
  demo.guest.wakeUid = 1000;
  demo.guest.wakeLabel = kj::str("make -j8");
  demo.guest.wakeUntil = start + 2 * kj::HOURS;
  bed.pass(90 * kj::MINUTES);
  CHECK((demo.pauses.size() == 0 && demo.asked <= 8));
  auto told = bed.why("demo");
  REQUIRE(told.reasons.size() == 1);
  auto& reason = told.reasons[0];
  CHECK(reason.kind == Wakefulness::Reason::Kind::GUEST_LOCK);
  CHECK((reason.who == "uid 1000" && reason.detail == "make -j8 (and 2 more)"));
  CHECK(reason.untilNanos == bed.nanos(start + 2 * kj::HOURS));
  // The last one is released.
  demo.guest.wakes = 0;
  demo.guest.lastWake = bed.timer.now();
  const auto released = bed.timer.now();
  bed.pass(31 * kj::MINUTES);
  REQUIRE(demo.pauses.size() == 1);
  CHECK(demo.pauses[0] - released == 30 * kj::MINUTES);
}

TEST_CASE("P42 only some are hibernated at a time, and each that waits for that may be used") {
  ActivityBed bed;
  constexpr uint32_t MANY = 20;
  for (uint32_t i = 0; i < MANY; i++) bed.begin(kj::str("w", i));
  bed.pass(31 * kj::MINUTES);
  bed.takes = 1 * kj::MINUTES;
  bed.mostUnderWay = 0;
  auto count = [&]() {
    size_t hibernated = 0;
    for (uint32_t i = 0; i < MANY; i++) hibernated += bed.at(kj::str("w", i)).hibernations.size();
    return hibernated;
  };
  bed.pass(10 * kj::MINUTES + 30 * kj::SECONDS);
  CHECK(count() == MOST_HIBERNATIONS);
  kj::Vector<kj::Own<void>> visits;
  for (uint32_t i = 0; i < MANY; i++) visits.add(bed.come(kj::str("w", i)));
  bed.pass(1 * kj::HOURS);
  CHECK(bed.mostUnderWay == MOST_HIBERNATIONS);
  // Those that had begun.
  CHECK(count() == 2 * MOST_HIBERNATIONS);
  visits.clear();
  bed.pass(10 * kj::MINUTES);
  CHECK(count() == MANY);
}

}  // namespace
}  // namespace bothy
