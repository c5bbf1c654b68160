#pragma once

#include <catch2/catch_test_macros.hpp>

#include "store/contract-store.h"

namespace bothy {

// What holds for the events of every Store, as sections of one test case.
class EventContract final {
public:
  explicit EventContract(ContractStore& store) : store(store) {}

  void check() {
    checkEvents();
    checkNotices();
    checkLimits();
  }

private:
  using S = WorkspaceState;
  ContractStore& store;

  void checkEvents() {
    SECTION("an event is read with every state that there is") {
      store.commit(store.added("a", 1));
      for (int i = 1; i <= static_cast<int>(LAST_STATE); i++) {
        const auto before = static_cast<S>(i - 1), after = static_cast<S>(i);
        store.commit(kj::mv(Change().tell(contractEvent("a", before, after))));
      }
      const auto first =
          store->events(0, 100).wait(store.scope).events.size() - static_cast<size_t>(LAST_STATE);
      auto page = store->events(0, 100).wait(store.scope);
      for (size_t i = 1; i <= static_cast<size_t>(LAST_STATE); i++) {
        CHECK(page.events[first + i - 1].after == static_cast<S>(i));
      }
    }
    SECTION("P58 events are read from a cursor on, page by page") {
      store.commit(store.added("a", 1));
      for (uint32_t i = 1; i < 8; i++) {
        auto committed = store.commit(kj::mv(
            Change().tell(contractEvent("a", S::RUNNING, S::RUNNING, kj::str("event ", i)))));
        CHECK(committed.lastEvent == i + 1);
      }
      auto page = store->events(5, 2).wait(store.scope);
      REQUIRE(page.events.size() == 2);
      CHECK(page.events[0].actor == "uid 7");
      CHECK((page.events[0].number == 6 && page.events[0].detail == "event 5"));
      CHECK(page.events[0].count == 1);
      CHECK((page.events[1].number == 7 && page.through == 7));
      CHECK(store.events(8).size() == 0);
      CHECK(store.events(UINT64_MAX).size() == 0);
    }
  }

  void checkNotices() {
    SECTION("P58 equal notices of one workspace are counted, under the newest number") {
      store.commit(store.added("a", 1));
      store.commit(store.added("b", 2));
      for (int64_t i = 1; i <= 5; i++) {
        for (auto detail : {"lost", "back"}) {
          auto notice = contractEvent("a", S::RUNNING, S::RUNNING, detail);
          notice.timeNanos += i;
          store.commit(kj::mv(Change().tell(kj::mv(notice))));
        }
        if (i == 1) {
          store.commit(kj::mv(Change().tell(contractEvent("b", S::RUNNING, S::RUNNING, "lost"))));
        }
      }
      auto found = store.events();
      REQUIRE(found.size() == 5);
      CHECK((found[2].workspace == "b" && found[2].count == 1));
      CHECK((found[3].detail == "lost" && found[3].count == 5 && found[3].number == 12));
      CHECK((found[4].detail == "back" && found[4].count == 5 && found[4].number == 13));
      CHECK(found[4].timeNanos - found[4].firstNanos == 4);

      // One that comes as several already.
      auto several = contractEvent("b", S::RUNNING, S::RUNNING, "several");
      several.count = 3;
      several.firstNanos = several.timeNanos - 7;
      store.commit(kj::mv(Change().tell(kj::mv(several))));
      found = store.events(13);
      REQUIRE(found.size() == 1);
      CHECK(found[0].count == 3);
      CHECK(found[0].timeNanos - found[0].firstNanos == 7);

      // What another has asked for is another event.
      auto others = contractEvent("b", S::RUNNING, S::RUNNING, "several");
      others.actor = kj::str("uid 8");
      store.commit(kj::mv(Change().tell(kj::mv(others))));
      found = store.events(13);
      REQUIRE(found.size() == 2);
      CHECK((found[0].actor == "uid 7" && found[0].count == 3));
      CHECK((found[1].actor == "uid 8" && found[1].count == 1));

      // Not over a change of state.
      store.commit(kj::mv(Change().tell(contractEvent("a", S::RUNNING, S::STARTING, "reboot"))));
      store.commit(kj::mv(Change().tell(contractEvent("a", S::STARTING, S::RUNNING, "reboot"))));
      store.commit(kj::mv(Change().tell(contractEvent("a", S::RUNNING, S::RUNNING, "lost"))));
      found = store.events();
      REQUIRE(found.size() == 10);
      CHECK((found[3].count == 5 && found[9].count == 1));
      CHECK(found[9].number == 18);
    }
  }

  void checkLimits() {
    SECTION("P58 a flood of one workspace drives out none of another's, and its newest stay") {
      store.commit(store.added("quiet", 1));
      store.commit(store.added("loud", 2));
      for (uint32_t i = 0; i < 100; i++) {
        store.commit(kj::mv(
            Change().tell(contractEvent("loud", S::RUNNING, S::RUNNING, kj::str("flood ", i)))));
      }
      auto found = store.events();
      REQUIRE(found.size() == 1 + CONTRACT_LIMITS.perWorkspace);
      CHECK(found[0].workspace == "quiet");
      CHECK((found.back().number == 102 && found.back().detail == "flood 99"));
    }
    SECTION("events that are old are not kept, and their numbers not given again") {
      store.commit(store.added("old", 1));
      auto late = contractEvent("old", S::RUNNING, S::RUNNING);
      late.timeNanos += (CONTRACT_LIMITS.age + 1 * kj::SECONDS) / kj::NANOSECONDS;
      store.commit(kj::mv(Change().tell(kj::mv(late))));
      auto found = store.events();
      REQUIRE(found.size() == 1);
      CHECK(found[0].number == 2);
      CHECK(store.reopen().lastEvent == 2);
    }
    SECTION("of all events some are kept at most") {
      for (uint32_t i = 0; i < 3 * CONTRACT_LIMITS.total; i++)
        store.commit(store.added(kj::str("w", i), i));
      auto count = store.events().size();
      CHECK(count >= CONTRACT_LIMITS.total);
      CHECK(count < 2 * CONTRACT_LIMITS.total);
    }
  }
};

}  // namespace bothy
