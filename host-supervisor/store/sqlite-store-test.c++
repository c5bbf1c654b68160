#include "store/sqlite-store.h"

#include <string.h>
#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>

#include "store/sqlite-database.h"
#include "store/sqlite-fixture.h"
#include "store/store-contract.h"

namespace bothy {
namespace {

Change added(kj::StringPtr name, uint32_t number) {
  return kj::mv(Change()
                    .add(contractRow(name))
                    .put(contractMachine(name, number))
                    .tell(contractEvent(name, WorkspaceState::CREATING, WorkspaceState::CREATING)));
}

TEST_CASE("a database in a file is a Store") {
  SqliteFixture f;
  StoreContract(f.scope, [&]() { return f.open(CONTRACT_LIMITS); }).check();
}

TEST_CASE("the database is readable by its owner alone, with what SQLite puts beside it") {
  SqliteFixture f;
  auto store = f.open();
  store->begin().wait(f.scope);
  store->commit(added("a", 1)).wait(f.scope);
  for (auto suffix : {"", "-wal", "-shm"}) {
    struct stat stats;
    INFO(suffix);
    REQUIRE(stat(kj::str(f.path, suffix).cStr(), &stats) == 0);
    CHECK((stats.st_mode & 0777) == 0600);
  }
}

TEST_CASE("P59 what is unique in the lease of a machine is written once, and not at each boot") {
  SqliteFixture f;
  auto store = f.open();
  store->begin().wait(f.scope);
  store->commit(added("a", 1)).wait(f.scope);
  store = nullptr;
  SqliteDatabase(f.path).run(
      "CREATE TRIGGER writes BEFORE UPDATE OF uid, cid, workspace_id ON machines "
      "BEGIN SELECT RAISE(ABORT, 'an index is written'); END");
  store = f.open();
  store->begin().wait(f.scope);
  auto machine = contractMachine("a", 1);
  machine.secret = nullptr;
  machine.startedNanos = 7;
  machine.agentVersion = kj::str("2");
  store->commit(kj::mv(Change().put(kj::mv(machine)))).wait(f.scope);
  store = nullptr;
  auto state = f.open()->begin().wait(f.scope);
  REQUIRE(state.machines.size() == 1);
  CHECK(state.machines[0].secret.size() == 0);
  CHECK((state.machines[0].startedNanos == 7 && state.machines[0].agentVersion == "2"));
}

TEST_CASE("S16 a workspace whose row is damaged is failed with its reason, and hinders no other") {
  SqliteFixture f;
  auto store = f.open();
  store->begin().wait(f.scope);
  for (uint32_t i = 0; i < 3; i++) {
    store->commit(added(kj::str("w", i), i + 1)).wait(f.scope);
  }
  store = nullptr;
  auto damage = [&](kj::StringPtr sql) { SqliteDatabase(f.path).run(sql); };
  auto says = [&](kj::StringPtr words) {
    auto state = f.open()->begin().wait(f.scope);
    REQUIRE(state.workspaces.size() == 3);
    for (auto i : {0, 2}) {
      CHECK(state.workspaces[i].damage == "");
      CHECK(state.workspaces[i].rest == Rest::STOPPED);
    }
    auto& bad = state.workspaces[1];
    INFO(bad.damage.cStr());
    CHECK(bad.rest == Rest::FAILED);
    CHECK(bad.failure == bad.damage);
    CHECK(strstr(bad.damage.cStr(), words.cStr()) != nullptr);
  };
  SECTION("a state that there is not") {
    damage("UPDATE workspaces SET rest=99 WHERE name='w1'");
    says("state 99");
  }
  SECTION("a number out of range") {
    damage("UPDATE workspaces SET memory_mib=-1 WHERE name='w1'");
    says("memory_mib is -1");
  }
  SECTION("a machine without an address") {
    damage("UPDATE machines SET cid=-1 WHERE workspace_id='id-w1'");
    says("machine");
  }
  SECTION("a machine of root") {
    damage("UPDATE machines SET uid=0 WHERE workspace_id='id-w1'");
    says("machine");
  }
}

TEST_CASE("P58 of all so many events are kept also by processes that add few each") {
  SqliteFixture f;
  constexpr EventLimits LIMITS{.perWorkspace = 1000, .total = 20};
  constexpr uint32_t PROCESSES = 10, EACH = 10;
  for (uint32_t i = 0; i < PROCESSES; i++) {
    auto store = f.open(LIMITS);
    store->begin().wait(f.scope);
    for (uint32_t j = 0; j < EACH; j++) {
      store->commit(added(kj::str("w", i, "-", j), 1 + i * EACH + j)).wait(f.scope);
    }
  }
  auto kept = f.open(LIMITS)->events(0, PROCESSES * EACH).wait(f.scope).events.size();
  CHECK(kept < LIMITS.total + EACH);
}

TEST_CASE(
    "P58 of a workspace so many events are kept, or a few more, also where they are counted now "
    "and then") {
  SqliteFixture f;
  constexpr EventLimits LIMITS{.perWorkspace = 100};
  constexpr uint32_t MORE = 4, FLOOD = 1000;
  auto store = f.open(LIMITS);
  store->begin().wait(f.scope);
  store->commit(added("loud", 1)).wait(f.scope);
  for (uint32_t i = 0; i < FLOOD; i++) {
    auto event =
        contractEvent("loud", WorkspaceState::STOPPED, WorkspaceState::STOPPED, kj::str(i));
    store->commit(kj::mv(Change().tell(kj::mv(event)))).wait(f.scope);
  }
  auto kept = store->events(0, FLOOD).wait(f.scope).events;
  CHECK(kept.size() >= LIMITS.perWorkspace);
  CHECK(kept.size() <= LIMITS.perWorkspace + MORE);
  CHECK(kept.back().detail == kj::str(FLOOD - 1));
}

TEST_CASE("P58 what a guest reports drives out none of what happened to its workspace") {
  SqliteFixture f;
  constexpr EventLimits LIMITS{.perWorkspace = 100, .ofGuest = 20};
  constexpr uint32_t MORE = 4, FLOOD = 1000;
  auto store = f.open(LIMITS);
  store->begin().wait(f.scope);
  store->commit(added("loud", 1)).wait(f.scope);
  for (uint32_t i = 0; i < FLOOD; i++) {
    auto event =
        contractEvent("loud", WorkspaceState::RUNNING, WorkspaceState::RUNNING, kj::str(i));
    event.cause = i % 2 == 0 ? Cause::OUT_OF_MEMORY : Cause::PROGRAM_ENDED;
    store->commit(kj::mv(Change().tell(kj::mv(event)))).wait(f.scope);
  }
  auto kept = store->events(0, FLOOD).wait(f.scope).events;
  CHECK(kept[0].number == 1);
  CHECK(kept.size() >= 1 + LIMITS.ofGuest);
  CHECK(kept.size() <= 1 + LIMITS.ofGuest + MORE);
  CHECK(kept.back().detail == kj::str(FLOOD - 1));
}

TEST_CASE("S16 an event that is damaged is left out, and those after it are read") {
  SqliteFixture f;
  auto store = f.open();
  store->begin().wait(f.scope);
  for (uint32_t i = 0; i < 3; i++) {
    store->commit(added(kj::str("w", i), i + 1)).wait(f.scope);
  }
  SqliteDatabase(f.path).run("UPDATE events SET cause=99 WHERE number=2");
  auto page = store->events(0, 2).wait(f.scope);
  CHECK(page.events.size() == 1);
  CHECK(page.through == 2);
  CHECK(store->events(2, 2).wait(f.scope).events.size() == 1);
}

TEST_CASE("the secret of a boot that is over is not in the file of the database") {
  SqliteFixture f;
  kj::StringPtr secret = "a secret that is long enough to be found";
  auto machine = contractMachine("a", 1);
  {
    auto store = f.open();
    store->begin().wait(f.scope);
    // Among others, so that its page is not written anew.
    for (uint32_t i = 2; i < 6; i++) store->commit(added(kj::str("w", i), i)).wait(f.scope);
    store->commit(added("a", 1)).wait(f.scope);
    machine.secret = kj::heapArray(secret.asBytes());
    store->commit(kj::mv(Change().put(machine.clone()))).wait(f.scope);
  }
  auto isThere = [&]() {
    SqliteDatabase(f.path).run("PRAGMA wal_checkpoint(TRUNCATE)");
    auto bytes = f.bytesOf(f.path);
    return memmem(bytes.begin(), bytes.size(), secret.begin(), secret.size()) != nullptr;
  };
  CHECK(isThere());
  {
    auto store = f.open();
    store->begin().wait(f.scope);
    store->commit(kj::mv(Change().removeWorkspace("id-a", 1))).wait(f.scope);
  }
  CHECK_FALSE(isThere());
}

TEST_CASE("P59 a database that another process has locked holds up the change, and not the loop") {
  SqliteFixture f;
  auto store = f.open();
  store->begin().wait(f.scope);
  SqliteDatabase other(f.path);
  other.run("BEGIN IMMEDIATE");
  auto committing = store->commit(added("a", 1));
  // As many turns as it likes, also while it waits for time.
  for (uint32_t i = 0; i < 20; i++) {
    CHECK_FALSE(committing.poll(f.scope));
    f.timer.afterDelay(1 * kj::MILLISECONDS).wait(f.scope);
  }
  other.run("ROLLBACK");
  CHECK(committing.wait(f.scope).lastEvent == 1);
}

TEST_CASE("whether a transaction is in is read by its mark") {
  SqliteFixture f;
  auto backend = openSqliteBackend(f.path, {});
  backend->begin();
  auto commit = [&](uint64_t mark, kj::StringPtr name) {
    auto change = added(name, mark);
    return backend->commit(mark, kj::arrayPtr(&change, 1));
  };
  CHECK(commit(1, "a").doubt == nullptr);
  CHECK(backend->holds(1));
  CHECK_FALSE(backend->holds(2));
  CHECK(commit(2, "b").lastEvent == 2);
  CHECK(backend->holds(2));
  CHECK_FALSE(backend->holds(1));
}

}  // namespace
}  // namespace bothy
