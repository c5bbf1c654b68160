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
  CHECK(warnings[0].detail == "nothing keeps it awake: in 10 s pause-after acts");
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

TEST_CASE("P41 P58 a rule's pause that a bothyd left half-done is the rule's after a restart too") {
  World w;
  w.leaveKeeper();
  auto step = KJ_ASSERT_NONNULL(
      w.demo->pause(nullptr, Workspace::IdlePause{kj::str("idle"), []() { return true; }})
          .wait(w.scope)
          .tryGet<Workspace::Paused>());
  static_cast<void>(step);
  w.resume();
  w.leave("demo", OperationKind::PAUSE, "freeze", "idle");
  w.restartBothyd();
  w.passUntil(WorkspaceState::PAUSED);
  CHECK(w.lastCause() == Cause::IDLE);
}

TEST_CASE("P26 who comes before the turn of a pause comes first") {
  World w;
  bool isDue = true;
  auto turn = w.demo->quiet();
  auto pausing =
      w.demo->pause(nullptr, Workspace::IdlePause{kj::str("idle"), [&]() { return isDue; }});
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
