#include "activity/activity-keeper.h"

#include <catch2/catch_test_macros.hpp>

#include "activity/test-activity-bed.h"

namespace bothy {
namespace {

using Kind = Wakefulness::Reason::Kind;

// Since the beginning of a case.
struct Bed: public ActivityBed {
  const kj::TimePoint start = timer.now();
  kj::Duration elapsed() { return timer.now() - start; }
};

TEST_CASE("P26 a workspace is paused 30 minutes after its last use, and a warning precedes") {
  Bed bed;
  auto& demo = bed.begin("demo");
  bed.pass(27 * kj::MINUTES);
  CHECK(demo.warnings.size() == 0);
  bed.pass(1 * kj::MINUTES);
  REQUIRE(demo.warnings.size() == 1);
  CHECK(bed.lastWarning == "nobody uses it: in 120 s pause-after pauses it");
  CHECK(bed.keeper->announcedPause("demo") == bed.nanos(bed.start + 30 * kj::MINUTES));
  CHECK(demo.pauses.size() == 0);
  bed.pass(2 * kj::MINUTES);
  REQUIRE(demo.pauses.size() == 1);
  CHECK(demo.pauses[0] - bed.start == 30 * kj::MINUTES);
  CHECK(bed.keeper->announcedPause("demo") == 0);
  CHECK(bed.lastAct == "nothing has kept it awake for 1800 s (pause-after)");
  // Once.
  bed.pass(2 * kj::DAYS);
  CHECK((demo.pauses.size() == 1 && demo.warnings.size() == 1));
  CHECK(bed.keeper->isIdle());
}

TEST_CASE("P26 while somebody is connected a workspace is not paused, however long that is") {
  Bed bed;
  auto& demo = bed.begin("demo");
  auto first = bed.come("demo"), second = bed.come("demo");
  CHECK(bed.keeper->waiting() == 0);
  bed.pass(3 * kj::DAYS);
  first = nullptr;
  bed.pass(3 * kj::DAYS);
  CHECK(demo.pauses.size() == 0);
  // When the last one leaves the countdown starts.
  second = nullptr;
  const auto left = bed.timer.now();
  bed.pass(30 * kj::MINUTES - 1 * kj::SECONDS);
  CHECK(demo.pauses.size() == 0);
  bed.pass(1 * kj::SECONDS);
  REQUIRE(demo.pauses.size() == 1);
  CHECK(demo.pauses[0] - left == 30 * kj::MINUTES);
}

TEST_CASE("P26 a return within the countdown stops it") {
  Bed bed;
  auto& demo = bed.begin("demo");
  bed.pass(29 * kj::MINUTES);
  CHECK(demo.warnings.size() == 1);
  auto visit = bed.come("demo");
  bed.pass(1 * kj::HOURS);
  CHECK(demo.pauses.size() == 0);
  visit = nullptr;
  bed.pass(29 * kj::MINUTES);
  CHECK((demo.pauses.size() == 0 && demo.warnings.size() == 2));
  bed.pass(1 * kj::MINUTES);
  CHECK(demo.pauses.size() == 1);
}

TEST_CASE("P26 P42 a workspace that is used every minute is never paused") {
  Bed bed;
  IdlePolicy policy;
  policy.pauseAfter = 90;
  policy.warnBefore = 20;
  auto& demo = bed.begin("demo", policy);
  const auto writes = bed.store.writes;
  for (int i = 0; i < 1000; i++) {
    auto visit = bed.come("demo");
    bed.pass(1 * kj::SECONDS);
    visit = nullptr;
    bed.pass(59 * kj::SECONDS);
  }
  CHECK((demo.pauses.size() == 0 && demo.warnings.size() == 0));
  // Nor does it cost the database anything.
  CHECK(bed.store.writes == writes);
}

TEST_CASE("P26 a lost connection is no ended session before its grace is over") {
  Bed bed;
  IdlePolicy policy;
  policy.pauseAfter = 10;
  policy.warnBefore = 0;
  policy.sessionGrace = 60;
  auto& demo = bed.begin("demo", policy);
  auto visit = bed.come("demo");
  bed.pass(1 * kj::HOURS);
  visit = nullptr;
  bed.pass(59 * kj::SECONDS);
  CHECK(demo.pauses.size() == 0);
  auto told = bed.why("demo");
  REQUIRE(told.reasons.size() == 1);
  CHECK(told.reasons[0].kind == Kind::GRACE);
  bed.pass(1 * kj::SECONDS);
  CHECK(demo.pauses.size() == 1);
}

TEST_CASE(
    "P26 a wake lock keeps a workspace awake until its time is over, and the countdown after") {
  Bed bed;
  auto& demo = bed.begin("demo");
  auto row = bed.lock("demo", 2 * kj::HOURS);
  CHECK(bed.store.locks.size() == 1);
  auto told = bed.why("demo");
  REQUIRE(told.reasons.size() == 1);
  auto& reason = told.reasons[0];
  CHECK((reason.kind == Kind::WAKE_LOCK && reason.id == row.id && reason.who == "uid 0"));
  CHECK((reason.detail == "build" && reason.untilNanos == row.untilNanos));
  CHECK(told.idleNanos == 0);
  bed.pass(2 * kj::HOURS + 29 * kj::MINUTES);
  CHECK(demo.pauses.size() == 0);
  CHECK(bed.store.locks.size() == 0);
  bed.pass(1 * kj::MINUTES);
  CHECK(demo.pauses.size() == 1);
}

TEST_CASE("P26 a wake lock that is released counts no more") {
  Bed bed;
  auto& demo = bed.begin("demo");
  auto row = bed.lock("demo", 10 * kj::HOURS);
  bed.pass(1 * kj::HOURS);
  CHECK(bed.keeper->releaseLock("demo", "another", "uid 0").wait(bed.scope) == false);
  CHECK(bed.keeper->releaseLock("other", row.id, "uid 0").wait(bed.scope) == false);
  CHECK(bed.keeper->releaseLock("demo", row.id, "uid 0").wait(bed.scope));
  CHECK(bed.store.locks.size() == 0);
  bed.pass(30 * kj::MINUTES);
  REQUIRE(demo.pauses.size() == 1);
  CHECK(demo.pauses[0] - bed.start == 90 * kj::MINUTES);
}

TEST_CASE("P26 input and commands keep a workspace awake, though only the guest tells of them") {
  Bed bed;
  auto& demo = bed.begin("demo");
  SECTION("somebody types") {
    demo.guest.lastInput = bed.start + 20 * kj::MINUTES;
  }
  SECTION("a command that has run") {
    demo.guest.lastCommand = bed.start + 20 * kj::MINUTES;
  }
  SECTION("a wake lock that a program has held") {
    demo.guest.lastWake = bed.start + 20 * kj::MINUTES;
  }
  bed.pass(49 * kj::MINUTES);
  CHECK(demo.pauses.size() == 0);
  bed.pass(1 * kj::MINUTES);
  REQUIRE(demo.pauses.size() == 1);
  // It was asked when something was due, and no more often.
  CHECK(demo.asked <= 4);
}

TEST_CASE("P26 what the guest alone says counts no longer than the policy allows") {
  Bed bed;
  IdlePolicy policy;
  policy.mostGuestWake = 4 * 60 * 60;
  auto& demo = bed.begin("demo", policy);
  SECTION("commands that run for ever") {
    demo.guest.commands = 3;
  }
  SECTION("wake locks that programs hold for ever") {
    demo.guest.wakes = 2;
  }
  SECTION("a guest that does not answer") {
    demo.guest.isAnswered = false;
  }
  SECTION("connections that only it knows of") {
    demo.guest.earlierLanes = 1;
  }
  SECTION("input of a time to come") {
    demo.guest.lastInput = bed.start + 300 * kj::DAYS;
  }
  bed.pass(4 * kj::HOURS + 29 * kj::MINUTES);
  CHECK(demo.pauses.size() == 0);
  bed.pass(31 * kj::MINUTES);
  CHECK(demo.pauses.size() == 1);
}

TEST_CASE("P26 what this host knows gives the guest's word its time anew") {
  Bed bed;
  IdlePolicy policy;
  policy.mostGuestWake = 60 * 60;
  auto& demo = bed.begin("demo", policy);
  demo.guest.commands = 1;
  for (int i = 0; i < 10; i++) {
    auto visit = bed.come("demo");
    bed.pass(1 * kj::MINUTES);
    visit = nullptr;
    bed.pass(58 * kj::MINUTES);
  }
  CHECK(demo.pauses.size() == 0);
}

TEST_CASE("P26 a guest that reboots again and again is not in use for that") {
  Bed bed;
  IdlePolicy policy;
  policy.mostGuestWake = 60 * 60;
  auto& demo = bed.begin("demo", policy);
  for (int i = 0; i < 12 && demo.pauses.size() == 0; i++) {
    bed.pass(10 * kj::MINUTES);
    if (demo.pauses.size() > 0) break;
    bed.move("demo", WorkspaceState::STARTING, Cause::GUEST_REBOOTED);
    bed.move("demo", WorkspaceState::RUNNING, Cause::GUEST_REBOOTED);
  }
  CHECK(demo.pauses.size() == 1);
}

TEST_CASE("P26 what does not count by the policy keeps nothing awake") {
  Bed bed;
  IdlePolicy policy;
  SECTION("sessions") {
    policy.countSessions = 0;
  }
  SECTION("input") {
    policy.countInput = 0;
  }
  SECTION("commands") {
    policy.countCommands = 0;
  }
  SECTION("wake locks") {
    policy.countWakeLocks = 0;
  }
  auto& demo = bed.begin("demo", policy);
  kj::Own<void> visit;
  if (policy.countSessions == 0) visit = bed.come("demo");
  if (policy.countInput == 0) demo.guest.lastInput = bed.start + 20 * kj::MINUTES;
  if (policy.countCommands == 0) demo.guest.commands = 1;
  if (policy.countWakeLocks == 0) bed.lock("demo", 5 * kj::HOURS);
  bed.pass(20 * kj::MINUTES);
  for (auto& reason : bed.why("demo").reasons) CHECK_FALSE(reason.counts);
  bed.pass(10 * kj::MINUTES);
  CHECK(demo.pauses.size() == 1);
}

TEST_CASE("P58 why says what is connected, what comes, and which rule has paused it and when") {
  Bed bed;
  auto& demo = bed.begin("demo");
  bed.pass(10 * kj::MINUTES);
  auto visit = bed.come("demo");
  auto told = bed.why("demo");
  REQUIRE(told.reasons.size() == 1);
  CHECK(told.reasons[0].kind == Kind::SESSION);
  CHECK((told.reasons[0].who == "session 1" && told.reasons[0].detail == "alice"));
  CHECK(told.reasons[0].sinceNanos == bed.nanos(bed.start + 10 * kj::MINUTES));
  CHECK((told.next == nullptr && told.past == nullptr && told.idleNanos == 0));
  visit = nullptr;
  bed.pass(29 * kj::MINUTES);
  told = bed.why("demo");
  CHECK(told.reasons.size() == 0);
  CHECK(told.idleNanos == bed.nanos(bed.start + 10 * kj::MINUTES));
  auto& next = KJ_ASSERT_NONNULL(told.next);
  CHECK((next.rule == IdleRule::PAUSE && next.isWarned));
  CHECK(next.atNanos == bed.nanos(bed.start + 40 * kj::MINUTES));
  bed.pass(5 * kj::MINUTES);
  told = bed.why("demo");
  CHECK(told.state == WorkspaceState::PAUSED);
  auto& hibernation = KJ_ASSERT_NONNULL(told.next);
  CHECK((hibernation.rule == IdleRule::HIBERNATE && !hibernation.isWarned));
  CHECK(hibernation.atNanos == bed.nanos(demo.pauses[0] + 10 * kj::MINUTES));
  auto past = KJ_ASSERT_NONNULL(told.past);
  CHECK((past.rule == IdleRule::PAUSE && past.atNanos == bed.nanos(demo.pauses[0])));
  // Over a kill too.
  bed.restart();
  CHECK(KJ_ASSERT_NONNULL(bed.why("demo").past).atNanos == past.atNanos);
  bed.move("demo", WorkspaceState::RESUMING, Cause::REQUEST);
  bed.move("demo", WorkspaceState::RUNNING, Cause::REQUEST);
  told = bed.why("demo");
  CHECK((told.past == nullptr && told.next != nullptr));
  CHECK(bed.keeper->why("other").wait(bed.scope) == nullptr);
}

TEST_CASE("P58 a workspace that somebody has paused is no rule's") {
  Bed bed;
  bed.begin("demo");
  bed.move("demo", WorkspaceState::PAUSING, Cause::REQUEST);
  bed.move("demo", WorkspaceState::PAUSED, Cause::REQUEST);
  CHECK(bed.why("demo").past == nullptr);
}

TEST_CASE("P26 who connects in the moment of the pause comes first") {
  Bed bed;
  auto& demo = bed.begin("demo");
  // After its last look and before its turn.
  kj::Own<void> visit;
  bed.beforeAct = [&]() { visit = bed.come("demo"); };
  bed.pass(5 * kj::HOURS);
  CHECK(visit.get() != nullptr);
  CHECK(demo.pauses.size() == 0);
  CHECK(bed.why("demo").past == nullptr);
}

TEST_CASE("P26 a pause that fails is tried again, more and more seldom, and warned of once") {
  Bed bed;
  auto& demo = bed.begin("demo");
  demo.refuses = true;
  bed.pass(1 * kj::DAYS);
  CHECK(demo.warnings.size() == 1);
  CHECK(demo.asked < 40);
  CHECK(bed.why("demo").past == nullptr);
  demo.refuses = false;
  bed.pass(2 * kj::HOURS);
  CHECK(demo.pauses.size() == 1);
}

TEST_CASE("P26 a database that refuses keeps nobody awake for ever, and loses no lock") {
  Bed bed;
  auto& demo = bed.begin("demo");
  bed.store.writesToRefuse = 3;
  CHECK_THROWS(bed.lock("demo", 1 * kj::HOURS));
  CHECK(bed.why("demo").reasons.size() == 0);
  bed.store.writesToRefuse = 0;
  bed.pass(29 * kj::MINUTES);
  bed.store.writesToRefuse = 2;
  bed.pass(1 * kj::HOURS);
  CHECK(demo.pauses.size() == 1);
}

TEST_CASE("what is not good, or is not there, gets no wake lock") {
  Bed bed;
  bed.begin("demo");
  auto take = [&](kj::StringPtr id, uint64_t millis, kj::StringPtr reason = "") {
    return bed.keeper->takeLock(id, {millis, kj::str(reason), kj::str("uid 0")}).wait(bed.scope);
  };
  CHECK(take("other", 5000).is<ActivityKeeper::Absent>());
  CHECK(take("demo", 999).get<ActivityKeeper::Invalid>().why ==
        "the time is 999 ms: it must be 1000 to 2592000000");
  CHECK(take("demo", 5000, "a\nb").is<ActivityKeeper::Invalid>());
  CHECK(take("demo", 5000, kj::str(kj::repeat('x', 129))).is<ActivityKeeper::Invalid>());
  for (uint32_t i = 0; i < rpc::MAX_WAKE_LOCKS; i++) CHECK(take("demo", 5000).is<WakeLockRow>());
  CHECK(take("demo", 5000).is<ActivityKeeper::TooMany>());
}

TEST_CASE("what is known of a workspace goes with it") {
  Bed bed;
  bed.begin("demo");
  bed.lock("demo", 1 * kj::HOURS);
  auto visit = bed.come("demo");
  EventRecord event;
  event.workspaceId = kj::str("demo");
  event.before = event.after = WorkspaceState::DELETING;
  event.gone = true;
  bed.workspaces.erase("demo");
  Change change;
  change.tell(kj::mv(event));
  bed.log.reached(bed.store.commit(kj::mv(change)).wait(bed.scope).lastEvent);
  bed.scope.poll();
  CHECK((bed.keeper->tracked() == 0 && bed.keeper->waiting() == 0));
  visit = nullptr;
  CHECK(bed.keeper->tracked() == 0);
}

TEST_CASE("R26 looks cost what is due, not what is there") {
  Bed bed;
  constexpr int MANY = 2000, FEW = 20;
  IdlePolicy never;
  never.pauseAfter = 0;
  for (int i = 0; i < MANY; i++) bed.begin(kj::str("rests-", i), never);
  for (int i = 0; i < FEW; i++) bed.begin(kj::str("ends-", i));
  // That they run is noted once.
  bed.pass(2 * kj::MINUTES);
  const auto before = bed.keeper->looks();
  CHECK(bed.keeper->waiting() == FEW);
  bed.pass(1 * kj::DAYS);
  // The warning, the pause and the hibernation.
  CHECK(bed.keeper->looks() - before == 3 * FEW);
  bed.pass(40 * kj::DAYS);
  // The other warning, and the expiry.
  CHECK(bed.keeper->looks() - before == 5 * FEW);
  CHECK(bed.keeper->waiting() == 0);
}

}  // namespace
}  // namespace bothy
