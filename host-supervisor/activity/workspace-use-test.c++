#include "activity/workspace-use.h"

#include <catch2/catch_test_macros.hpp>

#include <kj/debug.h>

#include "activity/wakefulness.h"

namespace bothy {
namespace {

constexpr kj::TimePoint START = kj::origin<kj::TimePoint>() + 10 * kj::DAYS;

kj::Duration dueAfter(const WorkspaceUse& use, kj::TimePoint now = START) {
  return KJ_ASSERT_NONNULL(use.due(now)) - START;
}

TEST_CASE("P26 nothing becomes of what is stopped, has failed, or is on its way") {
  for (auto state :
       {WorkspaceState::STOPPED, WorkspaceState::STARTING, WorkspaceState::FAILED,
        WorkspaceState::PAUSING, WorkspaceState::HIBERNATING, WorkspaceState::EXPIRED}) {
    WorkspaceUse use(state, {}, START);
    CHECK(use.due(START) == nullptr);
    CHECK(use.warningDue(START) == nullptr);
    CHECK(use.settledAt(START) == nullptr);
  }
  WorkspaceUse use(WorkspaceState::RUNNING, {}, START);
  CHECK(dueAfter(use) == 30 * kj::MINUTES);
  CHECK(KJ_ASSERT_NONNULL(use.warningDue(START)) - START == 28 * kj::MINUTES);
}

TEST_CASE("P26 the latest use decides, whoever tells of it") {
  WorkspaceUse use(WorkspaceState::RUNNING, {}, START);
  use.lastVisit = START + 1 * kj::MINUTES;
  CHECK(dueAfter(use) == 31 * kj::MINUTES);
  GuestUse told;
  told.lastInput = START + 3 * kj::MINUTES;
  told.lastCommand = START + 2 * kj::MINUTES;
  use.hear(kj::mv(told), START + 5 * kj::MINUTES);
  CHECK(dueAfter(use, START + 5 * kj::MINUTES) == 33 * kj::MINUTES);
  use.locks.add(WakeLock{WakeLockRow(), START + 2 * kj::HOURS});
  CHECK(dueAfter(use, START + 5 * kj::MINUTES) == 150 * kj::MINUTES);
  CHECK(KJ_ASSERT_NONNULL(use.firstLockEnd()) - START == 2 * kj::HOURS);
}

TEST_CASE(
    "P26 a set-up keeps a workspace awake, whatever counts, as long as its guest's word does") {
  IdlePolicy policy;
  policy.countSessions = policy.countInput = policy.countCommands = policy.countWakeLocks = 0;
  WorkspaceUse use(WorkspaceState::RUNNING, policy, START);
  const auto later = START + 20 * kj::MINUTES;
  GuestUse told;
  told.isSettingUp = true;
  use.hear(kj::mv(told), later);
  CHECK(dueAfter(use, later) == 50 * kj::MINUTES);
  auto why = describe(use, later, 0);
  REQUIRE(why.reasons.size() == 1);
  CHECK((why.reasons[0].kind == Wakefulness::Reason::Kind::SETTING_UP && why.reasons[0].counts));
  use.tierPolicy.mostGuestWake = 600;
  CHECK(dueAfter(use, later) == 40 * kj::MINUTES);
}

TEST_CASE("P26 a warning is told once of each countdown") {
  WorkspaceUse use(WorkspaceState::RUNNING, {}, START);
  use.noteWarning(START);
  CHECK(use.isWarned(START));
  CHECK(use.warningDue(START) == nullptr);
  use.lastVisit = START + 1 * kj::MINUTES;
  CHECK_FALSE(use.isWarned(START + 1 * kj::MINUTES));
  CHECK(use.warningDue(START + 1 * kj::MINUTES) != nullptr);
  use.tierPolicy.warnBefore = 0;
  CHECK(use.warningDue(START + 1 * kj::MINUTES) == nullptr);
}

TEST_CASE("P26 a resume begins anew, and a reboot does not") {
  IdlePolicy policy;
  policy.mostGuestWake = 600;
  WorkspaceUse use(WorkspaceState::RUNNING, policy, START);
  const auto later = START + 20 * kj::MINUTES;
  SECTION("resumed") {
    use.enter(WorkspaceState::PAUSED, START + 1 * kj::MINUTES);
    use.enter(WorkspaceState::RUNNING, later);
    CHECK(dueAfter(use, later) == 50 * kj::MINUTES);
  }
  SECTION("rebooted") {
    use.reboot();
    use.enter(WorkspaceState::STARTING, later);
    CHECK(use.isComingBack());
    use.enter(WorkspaceState::RUNNING, later);
    CHECK_FALSE(use.isComingBack());
    CHECK(dueAfter(use, later) == 40 * kj::MINUTES);
  }
  SECTION("a reboot that comes to nothing") {
    use.reboot();
    use.enter(WorkspaceState::STARTING, later);
    use.enter(WorkspaceState::FAILED, later);
    CHECK_FALSE(use.isComingBack());
    use.enter(WorkspaceState::RUNNING, later);
    CHECK(dueAfter(use, later) == 50 * kj::MINUTES);
  }
}

}  // namespace
}  // namespace bothy
