#include "activity/workspace-idle-world.h"

#include <catch2/catch_test_macros.hpp>

#include "activity/activity-keeper.h"
#include "workspace/test-paused-world.h"

namespace bothy {
namespace {

// A workspace that runs, and whoever looks after its use.
struct World: public PausedWorld {
  IdlePolicy policy;
  kj::Own<WorkspaceIdleWorld> idle;
  kj::Own<ActivityKeeper> keeper;

  World() {
    policy.pauseAfter = 60;
    policy.warnBefore = 10;
    policy.sessionGrace = 5;
    policy.hibernateAfter = 120;
    policy.expireAfter = 600;
    enterKeeper();
  }
  ~World() noexcept(false) { leaveKeeper(); }

  void enterKeeper() {
    idle = kj::heap<WorkspaceIdleWorld>(timer, *manager, policy);
    keeper = kj::heap<ActivityKeeper>(
        ActivityKeeper::Rooms{timer, clock, randomness, *events, refusing, *idle});
    keeper->enter(manager->takeActivities(), manager->takeWakeLocks());
  }
  void leaveKeeper() {
    keeper = nullptr;
    idle = nullptr;
  }
  void passTime(kj::Duration time) {
    settle();
    for (auto passed = 0 * kj::SECONDS; passed < time; passed += 1 * kj::SECONDS) {
      clock.time += 1 * kj::SECONDS;
      advance(1 * kj::SECONDS);
      settle();
    }
  }
  kj::Vector<EventRecord> eventsOf(Cause cause) {
    kj::Vector<EventRecord> found;
    for (auto& event : store->events(0, 100)) {
      if (event.cause == cause) found.add(event.clone());
    }
    return found;
  }
};

TEST_CASE(
    "P26 P58 a pause that a rule wants says so in its events, and is the one that people ask for") {
  World w;
  w.passTime(49 * kj::SECONDS);
  CHECK(w.eventsOf(Cause::IDLE_WARNING).size() == 0);
  w.passTime(1 * kj::SECONDS);
  auto warnings = w.eventsOf(Cause::IDLE_WARNING);
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].detail == "nobody uses it: in 10 s pause-after pauses it");
  CHECK(warnings[0].isNotice());
  w.passTime(11 * kj::SECONDS);
  CHECK(w.demo->state() == WorkspaceState::PAUSED);
  CHECK(w.driver.isPaused(w.id));
  auto told = w.eventsOf(Cause::IDLE);
  REQUIRE(told.size() == 2);
  CHECK(told[0].after == WorkspaceState::PAUSING);
  CHECK(told[0].detail == "nothing has kept it awake for 60 s (pause-after)");
  CHECK(told[1].after == WorkspaceState::PAUSED);
  for (auto& event : told) CHECK(event.actor == "rule pause-after");
  requireChain(w);
  // It wakes as any other.
  CHECK(w.demo->wake(nullptr).wait(w.scope).get<kj::Own<StartReport>>()->failure == nullptr);
  CHECK(w.demo->state() == WorkspaceState::RUNNING);
  w.passTime(61 * kj::SECONDS);
  CHECK(w.demo->state() == WorkspaceState::PAUSED);
}

TEST_CASE("P26 a guest that does set-up steps is in use, until they are done or one has failed") {
  World w;
  capnp::MallocMessageBuilder message;
  auto configuration = message.initRoot<rpc::Configuration>();
  auto step = configuration.initSetup().initSteps(1)[0];
  step.setName("Step");
  step.initCommand().initArgv(1).set(0, "true");
  auto request = w.request("other");
  auto given = GivenConfiguration::of({}, configuration.asReader());
  request.spec.configuration = kj::mv(given.get<GivenConfiguration>());
  auto creation = w.manager->create(kj::mv(request), nullptr);
  creation.poll(w.scope);
  w.settle();
  auto id = kj::str(w.find("other")->row().id);
  CHECK(w.idle->askGuest(id).wait(w.scope).isSettingUp);
  w.setup.exits(0, 1);
  w.settle();
  w.advance(SETUP_QUESTION_PAUSE);
  w.settle();
  CHECK_FALSE(w.idle->askGuest(id).wait(w.scope).isSettingUp);
  CHECK_FALSE(w.idle->askGuest(w.id).wait(w.scope).isSettingUp);
}

TEST_CASE("P41 P58 a rule's pause that a bothyd left half-done is the rule's after a restart too") {
  World w;
  w.leaveKeeper();
  auto step = KJ_ASSERT_NONNULL(
      w.demo->pause(nullptr, Workspace::ByRule{kj::str("idle"), []() { return true; }})
          .wait(w.scope)
          .tryGet<Workspace::Paused>());
  static_cast<void>(step);
  w.resume();
  w.leave("demo", OperationKind::PAUSE, "freeze", "idle");
  w.restartBothyd();
  w.passUntil(WorkspaceState::PAUSED);
  CHECK(w.lastCause() == Cause::IDLE);
}

TEST_CASE("P27 P58 what stays paused is hibernated by its rule, which says so, and wakes") {
  World w;
  w.pause();
  w.passTime(119 * kj::SECONDS);
  CHECK(w.demo->state() == WorkspaceState::PAUSED);
  w.passTime(3 * kj::SECONDS);
  CHECK(w.demo->state() == WorkspaceState::HIBERNATED);
  auto told = w.eventsOf(Cause::IDLE);
  REQUIRE(told.size() == 2);
  CHECK(told[0].after == WorkspaceState::HIBERNATING);
  CHECK(told[0].detail == "it has been paused for 120 s (hibernate-after)");
  CHECK(told[1].after == WorkspaceState::HIBERNATED);
  for (auto& event : told) CHECK(event.actor == "rule hibernate-after");
  requireChain(w);
  auto seen = KJ_ASSERT_NONNULL(w.idle->see(w.id));
  CHECK(seen.sinceNanos == w.demo->view().sleep.sinceNanos);
  // As long as nobody runs, no countdown does: after a restart it is where it was.
  w.leaveKeeper();
  w.restartBothyd();
  w.enterKeeper();
  auto why = KJ_ASSERT_NONNULL(w.keeper->why(w.id).wait(w.scope));
  CHECK(KJ_ASSERT_NONNULL(why.next).atNanos == seen.sinceNanos + 600'000'000'000);
  CHECK(KJ_ASSERT_NONNULL(why.past).rule == IdleRule::HIBERNATE);
  CHECK(w.demo->wake(nullptr).wait(w.scope).get<kj::Own<StartReport>>()->failure == nullptr);
  CHECK(KJ_ASSERT_NONNULL(w.keeper->why(w.id).wait(w.scope)).past == nullptr);
}

TEST_CASE("P26 P58 what stays hibernated expires by its rule, after a warning, and is made anew") {
  World w;
  w.hibernate();
  w.passTime(599 * kj::SECONDS);
  CHECK(w.demo->state() == WorkspaceState::HIBERNATED);
  auto warnings = w.eventsOf(Cause::IDLE_WARNING);
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].detail == "nobody uses it: in 600 s expire-after destroys its disk");
  w.passTime(5 * kj::SECONDS);
  CHECK(w.demo->state() == WorkspaceState::EXPIRED);
  auto told = w.eventsOf(Cause::IDLE);
  REQUIRE(told.size() == 2);
  CHECK(told[0].after == WorkspaceState::EXPIRING);
  CHECK(told[0].detail == "it has been hibernated for 600 s (expire-after)");
  CHECK(told[1].after == WorkspaceState::EXPIRED);
  for (auto& event : told) CHECK(event.actor == "rule expire-after");
  requireChain(w);
  auto why = KJ_ASSERT_NONNULL(w.keeper->why(w.id).wait(w.scope));
  CHECK((why.next == nullptr && KJ_ASSERT_NONNULL(why.past).rule == IdleRule::EXPIRE));
  CHECK(w.demo->wake(nullptr).wait(w.scope).get<kj::Own<StartReport>>()->failure == nullptr);
  CHECK(w.demo->state() == WorkspaceState::RUNNING);
}

TEST_CASE("P41 P58 a rule's expiry that a bothyd left half-done is the rule's") {
  World w;
  w.hibernate();
  w.leaveKeeper();
  w.leave("demo", OperationKind::EXPIRE, "key", "idle");
  w.restartBothyd();
  w.passUntil(WorkspaceState::EXPIRED);
  CHECK(w.lastCause() == Cause::IDLE);
}

TEST_CASE("P44 P56 a paused workspace for whose memory there is no room stays so, until there is") {
  World w;
  SECTION("found before anything is done") {
    w.volumes.free = 100 << 20;
  }
  SECTION("found in the middle of it") {
    w.freezes = false;
  }
  w.pause();
  const auto since = w.demo->view().pausedNanos;
  w.passTime(10 * kj::MINUTES);
  CHECK(w.demo->state() == WorkspaceState::PAUSED);
  CHECK(w.driver.isPaused(w.id));
  CHECK(w.demo->view().pausedNanos == since);
  auto why = KJ_ASSERT_NONNULL(w.keeper->why(w.id).wait(w.scope));
  auto& next = KJ_ASSERT_NONNULL(why.next);
  CHECK((next.rule == IdleRule::HIBERNATE && next.failure.size() > 0));
  // After one, two, four and eight minutes.
  CHECK((next.atNanos - nanosOf(w.clock.time)) / 60'000'000'000 < 8);
  CHECK(w.eventsOf(Cause::IDLE).size() <= 2 * 4);
  w.volumes.free = 100ull << 30;
  w.freezes = true;
  w.passTime(9 * kj::MINUTES);
  CHECK(w.demo->state() == WorkspaceState::HIBERNATED);
}

TEST_CASE("P41 P58 a rule's hibernation that a bothyd left half-done is the rule's") {
  World w;
  w.pause();
  w.leaveKeeper();
  w.leave("demo", OperationKind::HIBERNATE, "room", "idle");
  w.restartBothyd();
  w.enterKeeper();
  w.passUntil(WorkspaceState::HIBERNATED);
  auto told = w.eventsOf(Cause::IDLE);
  REQUIRE(told.size() == 1);
  CHECK(told[0].after == WorkspaceState::HIBERNATED);
  CHECK(KJ_ASSERT_NONNULL(KJ_ASSERT_NONNULL(w.keeper->why(w.id).wait(w.scope)).past).rule ==
        IdleRule::HIBERNATE);
}

TEST_CASE("P26 who comes before the turn of a pause comes first") {
  World w;
  bool isDue = true;
  auto turn = w.demo->quiet();
  auto pausing =
      w.demo->pause(nullptr, Workspace::ByRule{kj::str("idle"), [&]() { return isDue; }});
  isDue = false;
  CHECK(pausing.wait(w.scope).is<Busy>());
  CHECK(w.demo->state() == WorkspaceState::RUNNING);
  CHECK(w.eventsOf(Cause::IDLE).size() == 0);
}

TEST_CASE("P26 a stopped workspace is not looked at") {
  World w;
  w.demo->stop(1000).wait(w.scope);
  w.passTime(5 * kj::MINUTES);
  CHECK((w.demo->state() == WorkspaceState::STOPPED && w.keeper->waiting() == 0));
}

TEST_CASE("P26 the policy is that of the tier, and without one that of the settings") {
  World w;
  CHECK(KJ_ASSERT_NONNULL(w.idle->see(w.id)).policy.pauseAfter == 60);
  REQUIRE(w.manager->changeTier("demo", "team", {.isApplied = true, .keepsDisk = true})
              .wait(w.scope)
              .is<Workspace::TierChanged>());
  CHECK(KJ_ASSERT_NONNULL(w.idle->see(w.id)).policy.pauseAfter == 1800);
  CHECK(w.idle->see("other") == nullptr);
  w.passTime(5 * kj::MINUTES);
  CHECK(w.demo->state() == WorkspaceState::RUNNING);
}

TEST_CASE("P26 an agent that does not say which lanes it serves is waited for only so long") {
  World w;
  w.leaveKeeper();
  w.restartBothyd();
  w.enterKeeper();
  SECTION("it does not answer") {
    w.answersLanes = false;
    auto asking = w.idle->askGuest(w.id);
    w.passTime(6 * kj::SECONDS);
    REQUIRE(asking.poll(w.scope));
    CHECK_FALSE(asking.wait(w.scope).isAnswered);
  }
  SECTION("it answers") {
    auto told = w.idle->askGuest(w.id).wait(w.scope);
    CHECK((told.isAnswered && told.earlierLanes == 2));
  }
}

}  // namespace
}  // namespace bothy
