#pragma once

#include <catch2/catch_test_macros.hpp>

#include "store/contract-store.h"

namespace bothy {

// What holds for what every Store keeps of how workspaces are used, as sections of one test case.
class ActivityContract final {
public:
  explicit ActivityContract(ContractStore& store) : store(store) {}

  void check() {
    SECTION("P26 what is known of a workspace's use is there after a restart, and is replaced") {
      store.commit(store.added("a", 1));
      store.commit(kj::mv(Change().put(ActivityRow{kj::str("id-a"), kj::str("pause-after=60"), 11,
                                                   12, kj::str("rule"), 13, 14})));
      auto state = store.reopen();
      REQUIRE(state.activities.size() == 1);
      auto& row = state.activities[0];
      CHECK((row.workspaceId == "id-a" && row.overrides == "pause-after=60"));
      CHECK((row.idleNanos == 11 && row.hostNanos == 12 && row.rule == "rule"));
      CHECK((row.ruleNanos == 13 && row.warnedNanos == 14));
      store.commit(
          kj::mv(Change().put(ActivityRow{kj::str("id-a"), kj::str(), 0, 0, kj::str(), 0})));
      state = store.reopen();
      REQUIRE(state.activities.size() == 1);
      CHECK((state.activities[0].overrides == "" && state.activities[0].idleNanos == 0));
    }
    SECTION("P26 a wake lock is there after a restart, and goes") {
      store.commit(store.added("a", 1));
      store.commit(kj::mv(Change().add(lockOf("l", "id-a"))));
      auto state = store.reopen();
      REQUIRE(state.wakeLocks.size() == 1);
      auto& row = state.wakeLocks[0];
      CHECK((row.id == "l" && row.workspaceId == "id-a" && row.holder == "uid 0"));
      CHECK((row.reason == "ä 'build'" && row.takenNanos == 21 && row.untilNanos == 22));
      CHECK(store.isRefused(kj::mv(Change().add(lockOf("l", "id-a")))));
      store.commit(kj::mv(Change().removeWakeLock("l")));
      CHECK(store.isRefused(kj::mv(Change().removeWakeLock("l"))));
      CHECK(store.reopen().wakeLocks.size() == 0);
    }
    SECTION("what is known of a workspace's use goes with it, and is of none that is not there") {
      store.commit(store.added("a", 1));
      store.commit(store.added("b", 2));
      store.commit(kj::mv(Change().put(ActivityRow{kj::str("id-a")}).add(lockOf("l", "id-a"))));
      store.commit(kj::mv(Change().put(ActivityRow{kj::str("id-b")}).add(lockOf("m", "id-b"))));
      store.commit(kj::mv(Change().removeWorkspace("id-a", 77)));
      auto state = store.reopen();
      REQUIRE((state.activities.size() == 1 && state.wakeLocks.size() == 1));
      CHECK((state.activities[0].workspaceId == "id-b" && state.wakeLocks[0].id == "m"));
      CHECK(store.isRefused(kj::mv(Change().put(ActivityRow{kj::str("id-a")}))));
      CHECK(store.isRefused(kj::mv(Change().add(lockOf("n", "id-a")))));
    }
  }

private:
  ContractStore& store;

  static WakeLockRow lockOf(kj::StringPtr id, kj::StringPtr workspaceId) {
    return {kj::str(id), kj::str(workspaceId), kj::str("uid 0"), kj::str("ä 'build'"), 21, 22};
  }
};

}  // namespace bothy
