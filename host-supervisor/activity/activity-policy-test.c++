// What becomes of workspaces whose policies change, and what is told while a rule acts.

#include <catch2/catch_test_macros.hpp>

#include "activity/test-activity-bed.h"

namespace bothy {
namespace {

using Bed = ActivityBed;

TEST_CASE("P26 a workspace has figures of its own in the place of its tier's, at once") {
  Bed bed;
  auto& demo = bed.begin("demo");
  auto change = [&](IdleFigure figure, kj::Maybe<uint32_t> value) {
    auto wishes = kj::heapArray<ActivityKeeper::FigureWish>({{figure, value}});
    return bed.keeper->changePolicy("demo", kj::mv(wishes), "uid 7").wait(bed.scope);
  };
  auto outcome = change(IdleFigure::PAUSE_AFTER, uint32_t{0});
  auto& told = outcome.get<Wakefulness>();
  CHECK((told.policy.pauseAfter == 0 && told.next == nullptr));
  CHECK(bed.store.activities["demo"].overrides == "pause-after=0");
  bed.pass(2 * kj::DAYS);
  CHECK(demo.pauses.size() == 0);
  CHECK(change(IdleFigure::PAUSE_AFTER, MAX_IDLE_SECONDS + 1).is<ActivityKeeper::Invalid>());
  const auto changed = bed.timer.now();
  CHECK(change(IdleFigure::PAUSE_AFTER, nullptr).is<Wakefulness>());
  CHECK(bed.store.activities["demo"].overrides == "");
  REQUIRE(bed.changes.size() == 2);
  CHECK(bed.changes[0] == "its own idle figures: pause-after=0 by uid 7");
  CHECK(bed.changes[1] == "it has no idle figures of its own any more by uid 7");
  // Whoever uses it is warned, though its time has long been over.
  bed.pass(2 * kj::MINUTES);
  REQUIRE((demo.pauses.size() == 1 && demo.warnings.size() == 1));
  CHECK(demo.warnings[0] == changed);
  CHECK(demo.pauses[0] - changed == 2 * kj::MINUTES);
}

TEST_CASE("P26 a tier with a shorter time pauses nobody without its warning") {
  Bed bed;
  IdlePolicy rare, soon;
  rare.pauseAfter = 4 * 60 * 60;
  soon.pauseAfter = 10 * 60;
  auto& demo = bed.begin("demo", rare);
  bed.pass(1 * kj::HOURS);
  bed.changeTier("demo", soon);
  const auto changed = bed.timer.now();
  SECTION("once") {}
  SECTION("and again, when it is warned of already") {
    bed.pass(1 * kj::MINUTES);
    soon.warnBefore = 60;
    bed.changeTier("demo", soon);
  }
  bed.pass(2 * kj::MINUTES);
  REQUIRE((demo.pauses.size() == 1 && demo.warnings.size() == 1));
  CHECK(demo.warnings[0] == changed);
  CHECK(demo.pauses[0] - changed == 2 * kj::MINUTES);
}

TEST_CASE("P26 what is warned of a longer time before is told when that is changed") {
  Bed bed;
  auto& demo = bed.begin("demo");
  bed.pass(29 * kj::MINUTES);
  IdlePolicy policy;
  policy.warnBefore = 10 * 60;
  bed.changeTier("demo", policy);
  bed.pass(10 * kj::MINUTES - 1 * kj::SECONDS);
  CHECK((demo.pauses.size() == 0 && demo.warnings.size() == 2));
  bed.pass(1 * kj::SECONDS);
  CHECK(demo.pauses.size() == 1);
}

TEST_CASE("P58 why says which rule is about to pause a workspace") {
  Bed bed;
  auto& demo = bed.begin("demo");
  demo.refuses = demo.refusesLate = true;
  bed.takes = 10 * kj::SECONDS;
  SECTION("its events are told at once") {}
  SECTION("they are told later") {
    bed.feedDelay = 20 * kj::SECONDS;
  }
  bed.pass(30 * kj::MINUTES + 5 * kj::SECONDS);
  auto told = bed.why("demo");
  CHECK((told.state == WorkspaceState::PAUSING && told.next == nullptr));
  CHECK(KJ_ASSERT_NONNULL(told.past).rule == IdleRule::PAUSE);
  bed.pass(30 * kj::SECONDS);
  told = bed.why("demo");
  CHECK((told.state == WorkspaceState::RUNNING && told.past == nullptr && told.next != nullptr));
}

}  // namespace
}  // namespace bothy
