#pragma once

#include <catch2/catch_test_macros.hpp>

#include "store/contract-store.h"

namespace bothy {

// What holds for the rows of every Store, as sections of one test case.
class RowContract final {
public:
  explicit RowContract(ContractStore& store) : store(store) {}

  void check() {
    checkRows();
    checkRefusals();
    checkOrder();
    checkSessions();
    checkConfigurations();
  }

private:
  using S = WorkspaceState;
  ContractStore& store;

  void checkConfigurations() {
    SECTION(
        "P41 the configuration of a workspace is there until that is removed, and never twice") {
      store.commit(store.added("a", 1));
      const kj::byte content[] = {0, 1, 255};
      auto configuration = [&](kj::StringPtr name) {
        return ConfigurationRow{kj::str("id-", name), kj::heapArray<kj::byte>(content, 3)};
      };
      auto find = [&]() { return store->configuration("id-a").wait(store.scope); };
      CHECK(find() == nullptr);
      store.commit(kj::mv(Change().add(configuration("a"))));
      CHECK(store.isRefused(kj::mv(Change().add(configuration("a")))));
      CHECK(store.isRefused(kj::mv(Change().add(configuration("nobody")))));
      store.reopen();
      CHECK(KJ_ASSERT_NONNULL(find()).asPtr() == kj::arrayPtr(content, 3));
      store.commit(kj::mv(Change().removeWorkspace("id-a", 5)));
      CHECK(find() == nullptr);
    }
  }

  void checkRows() {
    SECTION("P41 rows of each noun are there after the store was opened again") {
      store.commit(store.added("b", 1));
      store.commit(store.added("a", 2));
      auto row = contractRow("b");
      row.rest = Rest::FAILED;
      row.failure = kj::str("no kernel");
      row.diskMib = 5000;
      row.nextDiskMib = 9000;
      row.cpus = 8;
      row.memoryMib = 1024;
      row.tier = kj::str("team");
      row.lastActiveNanos = 1700000000000000009;
      row.setupDone = 2;
      row.setupFailure = kj::str("step 3 (ä): it exited with 1");
      row.sleeps = 7;
      row.sleep = {11, 12, kj::str("QEMU"), kj::heapArray("boot"_kj.asBytes()), 13, kj::str("3"),
                   14, 15};
      auto machine = contractMachine("a", 2);
      machine.secret = nullptr;
      machine.startedNanos = 7;
      machine.agentVersion = kj::str("2");
      machine.pausedNanos = 8;
      machine.cpus = 4;
      machine.memoryMib = 2048;
      store.commit(kj::mv(
          Change()
              .update(row.clone())
              .put(kj::mv(machine))
              .add(OperationRow{kj::str("op"), kj::str("id-a"), kj::str("resize"), kj::str("grow"),
                                kj::str("6000"), kj::str("r"), 9, kj::str("uid 7")})));
      auto state = store.reopen();
      REQUIRE(state.workspaces.size() == 2);
      CHECK(state.workspaces[0].name == "a");
      auto& b = state.workspaces[1];
      CHECK((b.id == row.id && b.image == row.image && b.cpus == 8 && b.memoryMib == 1024));
      CHECK((b.diskMib == 5000 && b.nextDiskMib == 9000 && b.tier == "team"));
      CHECK((b.labels == "a=b\nc=d" && b.isConfigured && b.setupSteps == 3));
      CHECK((b.setupDone == 2 && b.setupFailure == "step 3 (ä): it exited with 1"));
      CHECK((state.workspaces[0].setupDone == 0 && state.workspaces[0].setupFailure == ""));
      CHECK(b.rest == Rest::FAILED);
      CHECK((b.failure == "no kernel" && b.damage == ""));
      CHECK((b.sleeps == 7 && b.sleep == row.sleep));
      CHECK((state.workspaces[0].sleeps == 0 && !state.workspaces[0].sleep.isThere()));
      CHECK(b.createdNanos == 1700000000000000000);
      CHECK((b.user == "user of b" && b.userName == "main"));
      CHECK((b.lastActiveNanos == 1700000000000000009 && state.workspaces[0].lastActiveNanos == 0));
      REQUIRE(state.machines.size() == 2);
      for (auto& m : state.machines) {
        bool isA = m.workspaceId == "id-a";
        CHECK(m.uid == (isA ? 700002 : 700001));
        CHECK(m.cid == (isA ? 5 : 4));
        CHECK(m.secret.size() == (isA ? 0 : 3));
        CHECK(m.startedNanos == (isA ? 7 : 1700000000000000001));
        CHECK(m.agentVersion == (isA ? "2" : "1.2.3"));
        CHECK(m.pausedNanos == (isA ? 8 : 0));
        CHECK(m.cpus == (isA ? 4 : 3));
        CHECK(m.memoryMib == (isA ? 2048 : 1024));
      }
      REQUIRE(state.operations.size() == 1);
      auto& operation = state.operations[0];
      CHECK((operation.kind == "resize" && operation.step == "grow" && operation.id == "op"));
      CHECK((operation.parameters == "6000" && operation.requestId == "r"));
      CHECK((operation.deadlineNanos == 9 && operation.workspaceId == "id-a"));
      CHECK(operation.actor == "uid 7");
      CHECK(state.lastEvent == 2);
    }
    SECTION("an update changes nothing of a row that never changes") {
      store.commit(store.added("a", 1));
      auto row = contractRow("a");
      row.name = kj::str("other");
      row.image = kj::str("other");
      row.user = kj::str("other");
      row.userName = kj::str("other");
      row.createdNanos = 7;
      row.diskMib = 5000;
      store.commit(kj::mv(Change().update(row.clone())));
      auto state = store.reopen();
      REQUIRE(state.workspaces.size() == 1);
      auto& a = state.workspaces[0];
      CHECK((a.name == "a" && a.image == "base"));
      CHECK((a.user == "user of a" && a.userName == "main"));
      CHECK(a.createdNanos == 1700000000000000000);
      CHECK(a.diskMib == 5000);
      // The other name is free.
      store.commit(store.added("other", 2));
    }
    SECTION("a workspace has one operation, which goes on step by step and ends") {
      store.commit(store.added("a", 1));
      auto operation = [](kj::StringPtr id, kj::StringPtr step) {
        return OperationRow{
            kj::str(id), kj::str("id-a"), kj::str("start"), kj::str(step), nullptr, nullptr, 0};
      };
      store.commit(kj::mv(Change().add(operation("1", "boot"))));
      CHECK(store.isRefused(kj::mv(Change().add(operation("2", "boot")))));
      store.commit(kj::mv(Change().update(operation("1", "greet"))));
      CHECK(store.reopen().operations[0].step == "greet");
      // One takes the place of the other.
      store.commit(kj::mv(Change().removeOperation("1").add(operation("2", "end"))));
      CHECK(store.isRefused(kj::mv(Change().update(operation("1", "boot")))));
      CHECK(store.reopen().operations[0].id == "2");
      store.commit(kj::mv(Change().removeOperation("2")));
      CHECK(store.reopen().operations.size() == 0);
    }
    SECTION("P57 a request is found with what came of it, until its workspace is gone") {
      RequestRecord request{kj::str("r"), kj::str("start a"), kj::str("id-a")};
      auto change = store.added("a", 1);
      change.add(request.clone());
      store.commit(kj::mv(change));
      CHECK(KJ_ASSERT_NONNULL(store->request("r").wait(store.scope)).outcome ==
            RequestOutcome::OPEN);
      request.outcome = RequestOutcome::FAILED;
      request.stage = 2;
      request.fault = 3;
      request.message = kj::str("no kernel");
      request.console = kj::str("Linux");
      store.commit(kj::mv(Change().update(kj::mv(request))));
      store.reopen();
      auto found = KJ_ASSERT_NONNULL(store->request("r").wait(store.scope));
      CHECK((found.asked == "start a" && found.workspaceId == "id-a"));
      CHECK((found.outcome == RequestOutcome::FAILED && found.stage == 2 && found.fault == 3));
      CHECK((found.message == "no kernel" && found.console == "Linux"));
      CHECK(store->request("other").wait(store.scope) == nullptr);
      store.commit(kj::mv(Change().removeWorkspace("id-a", 1)));
      CHECK(store->request("r").wait(store.scope) == nullptr);
      auto state = store.reopen();
      CHECK(state.workspaces.size() + state.operations.size() == 0);
    }
    SECTION("S20 a lease rests when its machine or workspace is gone, and keeps its time only") {
      store.commit(store.added("a", 1));
      store.commit(store.added("b", 2));
      bool isRemoved = false;
      SECTION("the machine") {
        store.commit(kj::mv(Change().releaseMachine("id-a", 77)));
      }
      SECTION("the workspace") {
        isRemoved = true;
        store.commit(kj::mv(Change().removeWorkspace("id-a", 77)));
      }
      auto state = store.reopen();
      CHECK(state.workspaces.size() == (isRemoved ? 1 : 2));
      auto& resting = ContractStore::machineOf(state, 700001);
      CHECK((resting.workspaceId == "" && resting.releasedNanos == 77));
      CHECK((resting.secret.size() == 0 && resting.startedNanos == 0));
      CHECK((resting.agentVersion == "" && resting.cpus == 0 && resting.memoryMib == 0));
      CHECK(ContractStore::machineOf(state, 700002).workspaceId == "id-b");

      // It is another's then, with nothing of what it was.
      store.commit(kj::mv(Change().releaseMachine("id-b", 78)));
      store.commit(kj::mv(Change().put(contractMachine("b", 1))));
      state = store.reopen();
      REQUIRE(state.machines.size() == 2);
      auto& taken = ContractStore::machineOf(state, 700001);
      CHECK((taken.workspaceId == "id-b" && taken.releasedNanos == 0));
      CHECK((taken.secret.size() == 3 && taken.cpus == 3 && taken.memoryMib == 1024));
    }
  }

  void checkRefusals() {
    SECTION("what is not unique, or not there, is refused, and nothing of its change is stored") {
      store.commit(store.added("a", 1));
      CHECK(store.isRefused(store.added("a", 2)));
      CHECK(store.isRefused(store.added("b", 1)));
      auto renamed = store.added("c", 3);
      renamed.steps[0].get<Change::Add<WorkspaceRow>>().row.name = kj::str("a");
      CHECK(store.isRefused(kj::mv(renamed)));
      auto event = [](kj::StringPtr name) { return contractEvent(name, S::CREATING, S::STOPPED); };
      CHECK(store.isRefused(kj::mv(Change().tell(event("a")).update(contractRow("none")))));
      CHECK(store.isRefused(kj::mv(Change().tell(event("a")).put(contractMachine("none", 9)))));
      CHECK(store.isRefused(kj::mv(Change().tell(event("a")).removeWorkspace("id-none", 1))));
      CHECK(store.isRefused(kj::mv(Change().removeOperation("none"))));
      CHECK(store.isRefused(
          kj::mv(Change().add(RequestRecord{kj::str("r"), kj::str("x"), kj::str("id-none")}))));
      auto state = store.reopen();
      CHECK((state.workspaces.size() == 1 && state.machines.size() == 1));
      CHECK(state.lastEvent == 1);
    }
    SECTION("a user has one workspace of a name, and nobody's may have any number") {
      store.commit(store.added("a", 1));
      auto of = [](kj::StringPtr name, kj::StringPtr user, kj::StringPtr userName) {
        auto row = contractRow(name);
        row.user = kj::str(user);
        row.userName = kj::str(userName);
        return kj::mv(Change().add(kj::mv(row)));
      };
      CHECK(store.isRefused(of("b", "user of a", "main")));
      store.commit(of("b", "user of a", ""));
      CHECK(store.isRefused(of("c", "user of a", "")));
      store.commit(of("c", "user of ", "amain"));
      store.commit(of("d", "", ""));
      store.commit(of("e", "", ""));
      CHECK(store.reopen().workspaces.size() == 5);
      // With the workspace its name goes.
      store.commit(kj::mv(Change().removeWorkspace("id-b", 1)));
      store.commit(of("f", "user of a", ""));
    }
    SECTION("S20 a lease is of one workspace, and a workspace has one lease") {
      store.commit(store.added("a", 1));
      store.commit(store.added("b", 2));
      CHECK(store.isRefused(kj::mv(Change().put(contractMachine("b", 1)))));
      CHECK(store.isRefused(kj::mv(Change().put(contractMachine("b", 3)))));
      store.commit(kj::mv(Change().releaseMachine("id-b", 5)));
      CHECK(store.isRefused(kj::mv(Change().releaseMachine("id-b", 6))));
      CHECK(store.isRefused(kj::mv(Change().put(contractMachine("b", 1)))));
      // One that rests stands in nobody's way with its cid.
      auto machine = contractMachine("b", 3);
      machine.cid = contractMachine("b", 1).cid;
      CHECK(store.isRefused(kj::mv(Change().put(machine.clone()))));
      machine.cid = contractMachine("b", 2).cid;
      store.commit(kj::mv(Change().put(machine.clone())));
      auto state = store.reopen();
      CHECK(ContractStore::machineOf(state, 700001).workspaceId == "id-a");
      CHECK(ContractStore::machineOf(state, 700002).releasedNanos == 5);
      CHECK(ContractStore::machineOf(state, 700003).workspaceId == "id-b");
    }
    SECTION("one that is refused fails alone, wherever it stands among those that wait") {
      kj::Vector<kj::Promise<Committed>> promises;
      for (uint32_t i = 0; i < 10; i++) {
        promises.add(store->commit(store.added(kj::str("w", i % 7), i)));
      }
      for (uint32_t i = 0; i < 10; i++) CHECK(store.isRefused(kj::mv(promises[i])) == (i >= 7));
      CHECK(store.reopen().workspaces.size() == 7);
      auto found = store.events();
      REQUIRE(found.size() == 7);
      for (auto i : kj::indices(found)) CHECK(found[i].number == i + 1);
    }
  }

  void checkSessions() {
    auto only = [this]() {
      auto state = store.reopen();
      REQUIRE(state.sessions.size() == 1);
      return state.sessions[0].clone();
    };
    SECTION("P54 a session is there with all of it, is used and revoked, and goes") {
      store.commit(store.added("a", 1));
      store.commit(kj::mv(Change().add(contractSession("s", "id-a"))));
      auto row = only();
      CHECK((row.id == "s" && row.workspaceId == "id-a" && row.requestId == "request-s"));
      CHECK((row.tokenHash.size() == TOKEN_HASH_BYTES && row.tokenHash[0] == 's'));
      CHECK((row.verbs == 0x80000104u && row.beneath.asPtr() == "/srv"_kj.asBytes()));
      CHECK((row.label == "ä 'label'" && row.actor == "alice"));
      CHECK((row.createdNanos == 11 && row.expiresNanos == 22));
      CHECK((row.lastUsedNanos == 0 && row.revokedNanos == 0));

      row.lastUsedNanos = 33;
      store.commit(kj::mv(Change().update(row.clone())));
      CHECK(only().lastUsedNanos == 33);
      auto other = contractSession("t", "id-a");
      store.commit(kj::mv(Change().replaceToken("s", kj::mv(other.tokenHash))));
      CHECK((only().tokenHash[0] == 't' && only().lastUsedNanos == 33));
      // What never changes is not looked at, and neither is the token, which may be another by now.
      CHECK(row.tokenHash[0] == 's');
      row.revokedNanos = 44;
      row.workspaceId = kj::str("id-none");
      row.verbs = 1;
      row.expiresNanos = 99;
      store.commit(kj::mv(Change().update(row.clone())));
      row = only();
      CHECK((row.tokenHash[0] == 't' && row.revokedNanos == 44 && row.lastUsedNanos == 33));
      CHECK((row.workspaceId == "id-a" && row.verbs == 0x80000104u && row.expiresNanos == 22));

      store.commit(kj::mv(Change().removeSession("s")));
      CHECK(store.reopen().sessions.size() == 0);
      CHECK(store.isRefused(kj::mv(Change().removeSession("s"))));
      CHECK(store.isRefused(kj::mv(Change().update(row.clone()))));
      CHECK(store.isRefused(kj::mv(Change().replaceToken("s", kj::mv(row.tokenHash)))));
    }
    SECTION("sessions go with their workspace, and no two have a token or a request id") {
      store.commit(store.added("a", 1));
      store.commit(store.added("b", 2));
      store.commit(kj::mv(Change().add(contractSession("s", "id-a"))));
      CHECK(store.isRefused(kj::mv(Change().add(contractSession("u", "id-none")))));
      auto twin = contractSession("u", "id-b");
      twin.tokenHash = contractSession("s", "id-a").tokenHash;
      CHECK(store.isRefused(kj::mv(Change().add(kj::mv(twin)))));
      twin = contractSession("u", "id-b");
      twin.requestId = kj::str("request-s");
      CHECK(store.isRefused(kj::mv(Change().add(twin.clone()))));
      for (auto id : {"u"_kj, "v"_kj}) {
        auto other = contractSession(id, "id-b");
        other.requestId = nullptr;
        store.commit(kj::mv(Change().add(kj::mv(other))));
      }
      CHECK(store.reopen().sessions.size() == 3);
      store.commit(kj::mv(Change().removeWorkspace("id-b", 1)));
      CHECK(only().id == "s");
    }
  }

  void checkOrder() {
    SECTION("changes are stored in the order of the calls, and all of them, also if nobody waits") {
      store.commit(store.added("a", 1));
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
      promises.back().wait(store.scope);
      promises.clear();
      CHECK(store.reopen().workspaces[0].diskMib == 50);
      CHECK(store.events().back().detail == "50");
      CHECK(store.events().back().number == 51);
    }
  }
};

}  // namespace bothy
