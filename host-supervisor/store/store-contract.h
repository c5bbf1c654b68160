#pragma once

#include <string.h>

#include <kj/debug.h>
#include <kj/function.h>

#include <catch2/catch_test_macros.hpp>

#include "store/store-limits.h"
#include "store/store.h"

namespace bothy {

// What holds for every Store, as sections of one test case.

constexpr EventLimits CONTRACT_LIMITS{.perWorkspace = 20, .age = 30 * kj::DAYS, .total = 60};

inline WorkspaceRow contractRow(kj::StringPtr name) {
  WorkspaceRow row;
  row.id = kj::str("id-", name);
  row.name = kj::str(name);
  row.image = kj::str("base");
  row.cpus = 2;
  row.memoryMib = 512;
  row.diskMib = 4096;
  row.createdNanos = 1700000000000000000;
  return row;
}

inline MachineRow contractMachine(kj::StringPtr name, uint32_t number) {
  const kj::byte secret[] = {0, 1, 255};
  return {700000 + number,       3 + number,
          kj::str("id-", name),  kj::heapArray<kj::byte>(secret, 3),
          1700000000000000001ll, kj::str("1.2.3")};
}

inline EventRecord contractEvent(kj::StringPtr name, WorkspaceState before, WorkspaceState after,
                                 kj::StringPtr detail = "ä 'detail'") {
  EventRecord event;
  event.timeNanos = 1700000000000000000;
  event.workspace = kj::str(name);
  event.workspaceId = kj::str("id-", name);
  event.before = before;
  event.after = after;
  event.cause = Cause::VSOCK_LOST;
  event.detail = kj::str(detail);
  return event;
}

class StoreContract final {
public:
  // A store over what is there, also while others are open.
  using Open = kj::Function<kj::Own<Store>()>;

  StoreContract(kj::WaitScope& scope, Open openParam)
      : scope(scope), open(kj::mv(openParam)), store(open()) {
    initial = store->begin().wait(scope);
  }

  void check() {
    CHECK(initial.workspaces.size() == 0);
    CHECK(initial.lastEvent == 0);
    checkRows();
    checkRefusals();
    checkOrder();
    checkEvents();
    checkNotices();
    checkLimits();
    checkEpochs();
  }

private:
  using S = WorkspaceState;
  kj::WaitScope& scope;
  Open open;
  kj::Own<Store> store;
  StoredState initial;

  Change added(kj::StringPtr name, uint32_t number) {
    return kj::mv(Change()
                      .add(contractRow(name))
                      .put(contractMachine(name, number))
                      .tell(contractEvent(name, S::CREATING, S::CREATING)));
  }
  Committed commit(Change change) { return store->commit(kj::mv(change)).wait(scope); }
  static const MachineRow& machineOf(const StoredState& state, uint32_t uid) {
    for (auto& machine : state.machines) {
      if (machine.uid == uid) return machine;
    }
    KJ_FAIL_REQUIRE("no lease", uid);
  }
  bool isRefused(kj::Promise<Committed> promise) {
    return promise
        .then([](Committed) { return false; }, [](kj::Exception&& e) { return !isFenced(e); })
        .wait(scope);
  }
  bool isRefused(Change change) { return isRefused(store->commit(kj::mv(change))); }
  // As the next bothyd finds it.
  StoredState reopen() {
    store = nullptr;
    store = open();
    return store->begin().wait(scope);
  }
  kj::Array<EventRecord> events(uint64_t after = 0, size_t limit = 1000) {
    return store->events(after, limit).wait(scope).events;
  }

  void checkRows() {
    SECTION("P41 rows of each noun are there after the store was opened again") {
      commit(added("b", 1));
      commit(added("a", 2));
      auto row = contractRow("b");
      row.rest = Rest::FAILED;
      row.failure = kj::str("no kernel");
      row.diskMib = 5000;
      auto machine = contractMachine("a", 2);
      machine.secret = nullptr;
      machine.startedNanos = 7;
      machine.agentVersion = kj::str("2");
      commit(kj::mv(Change()
                        .update(row.clone())
                        .put(kj::mv(machine))
                        .add(OperationRow{kj::str("op"), kj::str("id-a"), kj::str("resize"),
                                          kj::str("grow"), kj::str("6000"), kj::str("r"), 9})));
      auto state = reopen();
      REQUIRE(state.workspaces.size() == 2);
      CHECK(state.workspaces[0].name == "a");
      auto& b = state.workspaces[1];
      CHECK((b.id == row.id && b.image == row.image && b.cpus == 2 && b.memoryMib == 512));
      CHECK((b.diskMib == 5000 && b.rest == Rest::FAILED));
      CHECK((b.failure == "no kernel" && b.damage == ""));
      CHECK(b.createdNanos == 1700000000000000000);
      REQUIRE(state.machines.size() == 2);
      for (auto& m : state.machines) {
        bool isA = m.workspaceId == "id-a";
        CHECK(m.uid == (isA ? 700002 : 700001));
        CHECK(m.cid == (isA ? 5 : 4));
        CHECK(m.secret.size() == (isA ? 0 : 3));
        CHECK(m.startedNanos == (isA ? 7 : 1700000000000000001));
        CHECK(m.agentVersion == (isA ? "2" : "1.2.3"));
      }
      REQUIRE(state.operations.size() == 1);
      auto& operation = state.operations[0];
      CHECK((operation.kind == "resize" && operation.step == "grow" && operation.id == "op"));
      CHECK((operation.parameters == "6000" && operation.requestId == "r"));
      CHECK((operation.deadlineNanos == 9 && operation.workspaceId == "id-a"));
      CHECK(state.lastEvent == 2);
    }
    SECTION("a workspace has one operation, which goes on step by step and ends") {
      commit(added("a", 1));
      auto operation = [](kj::StringPtr id, kj::StringPtr step) {
        return OperationRow{
            kj::str(id), kj::str("id-a"), kj::str("start"), kj::str(step), nullptr, nullptr, 0};
      };
      commit(kj::mv(Change().add(operation("1", "boot"))));
      CHECK(isRefused(kj::mv(Change().add(operation("2", "boot")))));
      commit(kj::mv(Change().update(operation("1", "greet"))));
      CHECK(reopen().operations[0].step == "greet");
      // One takes the place of the other.
      commit(kj::mv(Change().removeOperation("1").add(operation("2", "end"))));
      CHECK(isRefused(kj::mv(Change().update(operation("1", "boot")))));
      CHECK(reopen().operations[0].id == "2");
      commit(kj::mv(Change().removeOperation("2")));
      CHECK(reopen().operations.size() == 0);
    }
    SECTION("P57 a request is found with what came of it, until its workspace is gone") {
      RequestRecord request{kj::str("r"), kj::str("start a"), kj::str("id-a")};
      auto change = added("a", 1);
      change.add(request.clone());
      commit(kj::mv(change));
      CHECK(KJ_ASSERT_NONNULL(store->request("r").wait(scope)).outcome == RequestOutcome::OPEN);
      request.outcome = RequestOutcome::FAILED;
      request.stage = 2;
      request.fault = 3;
      request.message = kj::str("no kernel");
      request.console = kj::str("Linux");
      commit(kj::mv(Change().update(kj::mv(request))));
      reopen();
      auto found = KJ_ASSERT_NONNULL(store->request("r").wait(scope));
      CHECK((found.asked == "start a" && found.workspaceId == "id-a"));
      CHECK((found.outcome == RequestOutcome::FAILED && found.stage == 2 && found.fault == 3));
      CHECK((found.message == "no kernel" && found.console == "Linux"));
      CHECK(store->request("other").wait(scope) == nullptr);
      commit(kj::mv(Change().removeWorkspace("id-a", 1)));
      CHECK(store->request("r").wait(scope) == nullptr);
      auto state = reopen();
      CHECK(state.workspaces.size() + state.operations.size() == 0);
    }
    SECTION("S20 a lease rests when its machine or workspace is gone, and keeps its time only") {
      commit(added("a", 1));
      commit(added("b", 2));
      bool isRemoved = false;
      SECTION("the machine") {
        commit(kj::mv(Change().releaseMachine("id-a", 77)));
      }
      SECTION("the workspace") {
        isRemoved = true;
        commit(kj::mv(Change().removeWorkspace("id-a", 77)));
      }
      auto state = reopen();
      CHECK(state.workspaces.size() == (isRemoved ? 1 : 2));
      auto& resting = machineOf(state, 700001);
      CHECK((resting.workspaceId == "" && resting.releasedNanos == 77));
      CHECK((resting.secret.size() == 0 && resting.startedNanos == 0));
      CHECK(resting.agentVersion == "");
      CHECK(machineOf(state, 700002).workspaceId == "id-b");

      // It is another's then, with nothing of what it was.
      commit(kj::mv(Change().releaseMachine("id-b", 78)));
      commit(kj::mv(Change().put(contractMachine("b", 1))));
      state = reopen();
      REQUIRE(state.machines.size() == 2);
      auto& taken = machineOf(state, 700001);
      CHECK((taken.workspaceId == "id-b" && taken.releasedNanos == 0));
      CHECK(taken.secret.size() == 3);
    }
  }

  void checkRefusals() {
    SECTION("what is not unique, or not there, is refused, and nothing of its change is stored") {
      commit(added("a", 1));
      CHECK(isRefused(added("a", 2)));
      CHECK(isRefused(added("b", 1)));
      auto renamed = added("c", 3);
      renamed.steps[0].get<Change::Add<WorkspaceRow>>().row.name = kj::str("a");
      CHECK(isRefused(kj::mv(renamed)));
      auto event = [](kj::StringPtr name) { return contractEvent(name, S::CREATING, S::STOPPED); };
      CHECK(isRefused(kj::mv(Change().tell(event("a")).update(contractRow("none")))));
      CHECK(isRefused(kj::mv(Change().tell(event("a")).put(contractMachine("none", 9)))));
      CHECK(isRefused(kj::mv(Change().tell(event("a")).removeWorkspace("id-none", 1))));
      CHECK(isRefused(kj::mv(Change().removeOperation("none"))));
      CHECK(isRefused(
          kj::mv(Change().add(RequestRecord{kj::str("r"), kj::str("x"), kj::str("id-none")}))));
      auto state = reopen();
      CHECK((state.workspaces.size() == 1 && state.machines.size() == 1));
      CHECK(state.lastEvent == 1);
    }
    SECTION("S20 a lease is of one workspace, and a workspace has one lease") {
      commit(added("a", 1));
      commit(added("b", 2));
      CHECK(isRefused(kj::mv(Change().put(contractMachine("b", 1)))));
      CHECK(isRefused(kj::mv(Change().put(contractMachine("b", 3)))));
      commit(kj::mv(Change().releaseMachine("id-b", 5)));
      CHECK(isRefused(kj::mv(Change().releaseMachine("id-b", 6))));
      CHECK(isRefused(kj::mv(Change().put(contractMachine("b", 1)))));
      // One that rests stands in nobody's way with its cid.
      auto machine = contractMachine("b", 3);
      machine.cid = contractMachine("b", 1).cid;
      CHECK(isRefused(kj::mv(Change().put(machine.clone()))));
      machine.cid = contractMachine("b", 2).cid;
      commit(kj::mv(Change().put(machine.clone())));
      auto state = reopen();
      CHECK(machineOf(state, 700001).workspaceId == "id-a");
      CHECK(machineOf(state, 700002).releasedNanos == 5);
      CHECK(machineOf(state, 700003).workspaceId == "id-b");
    }
    SECTION("one that is refused fails alone, wherever it stands among those that wait") {
      kj::Vector<kj::Promise<Committed>> promises;
      for (uint32_t i = 0; i < 10; i++) {
        promises.add(store->commit(added(kj::str("w", i % 7), i)));
      }
      for (uint32_t i = 0; i < 10; i++) CHECK(isRefused(kj::mv(promises[i])) == (i >= 7));
      CHECK(reopen().workspaces.size() == 7);
      auto found = events();
      REQUIRE(found.size() == 7);
      for (auto i : kj::indices(found)) CHECK(found[i].number == i + 1);
    }
  }

  void checkOrder() {
    SECTION("changes are stored in the order of the calls, and all of them, also if nobody waits") {
      commit(added("a", 1));
      kj::Vector<kj::Promise<Committed>> promises;
      for (uint32_t i = 1; i <= 50; i++) {
        auto row = contractRow("a");
        row.diskMib = i;
        row.rest = i % 2 == 0 ? Rest::STOPPED : Rest::FAILED;
        promises.add(store->commit(
            kj::mv(Change()
                       .update(kj::mv(row))
                       .tell(contractEvent("a", i % 2 == 0 ? S::FAILED : S::STOPPED,
                                           i % 2 == 0 ? S::STOPPED : S::FAILED, kj::str(i))))));
        if (i < 50 && i % 3 == 0) promises.removeLast();
      }
      promises.back().wait(scope);
      promises.clear();
      CHECK(reopen().workspaces[0].diskMib == 50);
      CHECK(events().back().detail == "50");
      CHECK(events().back().number == 51);
    }
  }

  void checkEvents() {
    SECTION("P58 events are read from a cursor on, page by page") {
      commit(added("a", 1));
      for (uint32_t i = 1; i < 8; i++) {
        auto committed = commit(kj::mv(
            Change().tell(contractEvent("a", S::RUNNING, S::RUNNING, kj::str("event ", i)))));
        CHECK(committed.lastEvent == i + 1);
      }
      auto page = store->events(5, 2).wait(scope);
      REQUIRE(page.events.size() == 2);
      CHECK((page.events[0].number == 6 && page.events[0].detail == "event 5"));
      CHECK(page.events[0].count == 1);
      CHECK((page.events[1].number == 7 && page.through == 7));
      CHECK(events(8).size() == 0);
      CHECK(events(UINT64_MAX).size() == 0);
    }
  }

  void checkNotices() {
    SECTION("P58 equal notices of one workspace are counted, under the newest number") {
      commit(added("a", 1));
      commit(added("b", 2));
      for (int64_t i = 1; i <= 5; i++) {
        for (auto detail : {"lost", "back"}) {
          auto notice = contractEvent("a", S::RUNNING, S::RUNNING, detail);
          notice.timeNanos += i;
          commit(kj::mv(Change().tell(kj::mv(notice))));
        }
        if (i == 1) {
          commit(kj::mv(Change().tell(contractEvent("b", S::RUNNING, S::RUNNING, "lost"))));
        }
      }
      auto found = events();
      REQUIRE(found.size() == 5);
      CHECK((found[2].workspace == "b" && found[2].count == 1));
      CHECK((found[3].detail == "lost" && found[3].count == 5 && found[3].number == 12));
      CHECK((found[4].detail == "back" && found[4].count == 5 && found[4].number == 13));
      CHECK(found[4].timeNanos - found[4].firstNanos == 4);

      // One that comes as several already.
      auto several = contractEvent("b", S::RUNNING, S::RUNNING, "several");
      several.count = 3;
      several.firstNanos = several.timeNanos - 7;
      commit(kj::mv(Change().tell(kj::mv(several))));
      found = events(13);
      REQUIRE(found.size() == 1);
      CHECK(found[0].count == 3);
      CHECK(found[0].timeNanos - found[0].firstNanos == 7);

      // Not over a change of state.
      commit(kj::mv(Change().tell(contractEvent("a", S::RUNNING, S::STARTING, "reboot"))));
      commit(kj::mv(Change().tell(contractEvent("a", S::STARTING, S::RUNNING, "reboot"))));
      commit(kj::mv(Change().tell(contractEvent("a", S::RUNNING, S::RUNNING, "lost"))));
      found = events();
      REQUIRE(found.size() == 9);
      CHECK((found[3].count == 5 && found[8].count == 1));
      CHECK(found[8].number == 17);
    }
  }

  void checkLimits() {
    SECTION("P58 a flood of one workspace drives out none of another's, and its newest stay") {
      commit(added("quiet", 1));
      commit(added("loud", 2));
      for (uint32_t i = 0; i < 100; i++) {
        commit(kj::mv(
            Change().tell(contractEvent("loud", S::RUNNING, S::RUNNING, kj::str("flood ", i)))));
      }
      auto found = events();
      REQUIRE(found.size() == 1 + CONTRACT_LIMITS.perWorkspace);
      CHECK(found[0].workspace == "quiet");
      CHECK((found.back().number == 102 && found.back().detail == "flood 99"));
    }
    SECTION("events that are old are not kept, and their numbers not given again") {
      commit(added("old", 1));
      auto late = contractEvent("old", S::RUNNING, S::RUNNING);
      late.timeNanos += (CONTRACT_LIMITS.age + 1 * kj::SECONDS) / kj::NANOSECONDS;
      commit(kj::mv(Change().tell(kj::mv(late))));
      auto found = events();
      REQUIRE(found.size() == 1);
      CHECK(found[0].number == 2);
      CHECK(reopen().lastEvent == 2);
    }
    SECTION("of all events some are kept at most") {
      for (uint32_t i = 0; i < 3 * CONTRACT_LIMITS.total; i++) commit(added(kj::str("w", i), i));
      auto count = events().size();
      CHECK(count >= CONTRACT_LIMITS.total);
      CHECK(count < 2 * CONTRACT_LIMITS.total);
    }
  }

  void checkEpochs() {
    SECTION("a store that another has taken over stores nothing any more, and says so") {
      commit(added("a", 1));
      auto fence = store->untilFenced().then([]() { return false; }, isFenced);
      CHECK_FALSE(fence.poll(scope));
      auto newer = open();
      auto state = newer->begin().wait(scope);
      CHECK(state.epoch > initial.epoch);
      auto late = store->commit(added("b", 2))
                      .then([](Committed) { return kj::String(); },
                            [](kj::Exception&& e) {
                              CHECK(isFenced(e));
                              return kj::str(e.getDescription());
                            })
                      .wait(scope);
      INFO(late.cStr());
      CHECK(strstr(late.cStr(), "another bothyd") != nullptr);
      CHECK(fence.wait(scope));
      newer->commit(added("c", 3)).wait(scope);
      auto found = newer->events(0, 10).wait(scope).events;
      REQUIRE(found.size() == 2);
      CHECK(found[1].workspace == "c");
    }
  }
};

}  // namespace bothy
