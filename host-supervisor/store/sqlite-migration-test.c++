#include <string.h>

#include <string>

#include <catch2/catch_test_macros.hpp>

#include "store/sqlite-database.h"
#include "store/sqlite-fixture.h"

namespace bothy {
namespace {

// Of a database that bothyd 0.1.0 made, by sqlite3's .dump.
constexpr kj::StringPtr DUMP_OF_VERSION_3 = R"sql(
CREATE TABLE workspaces (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        image TEXT NOT NULL,
        cpus INTEGER NOT NULL,
        memory_mib INTEGER NOT NULL,
        disk_mib INTEGER NOT NULL,
        uid INTEGER NOT NULL UNIQUE,
        cid INTEGER NOT NULL UNIQUE,
        state INTEGER NOT NULL,
        failure TEXT NOT NULL,
        secret BLOB NOT NULL,
        created_nanos INTEGER NOT NULL,
        started_nanos INTEGER NOT NULL,
        agent_version TEXT NOT NULL
      , wanted_disk_mib INTEGER NOT NULL DEFAULT 0, rebooting INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
INSERT INTO workspaces VALUES('id-broke','broke','base',2,512,4096,700002,5,6,'it''s no "kernel" ä',X'',1700000000000000002,0,'',0,0);
INSERT INTO workspaces VALUES('id-grows','grows','base',2,512,4096,700003,6,7,'',X'',1700000000000000003,0,'',8192,0);
INSERT INTO workspaces VALUES('id-goes','goes','base',2,512,4096,700006,9,5,'',X'',1700000000000000006,0,'',0,0);
INSERT INTO workspaces VALUES('id-half','half','base',2,512,4096,700007,10,0,'',X'',1700000000000000007,0,'',0,0);
INSERT INTO workspaces VALUES('id-reboots','reboots','base',2,512,4096,700005,8,2,'',X'000127ff',1700000000000000005,0,'',0,1);
INSERT INTO workspaces VALUES('id-starts','starts','base',2,512,4096,700008,11,2,'',X'000127ff',1700000000000000008,0,'',0,0);
INSERT INTO workspaces VALUES('id-stops','stops','base',2,512,4096,700009,12,4,'',X'000127ff',1700000000000000009,0,'',0,0);
INSERT INTO workspaces VALUES('id-runs','runs','base',2,512,4096,700001,4,3,'',X'000127ff',1700000000000000001,1700000000000009999,'0.1.0',0,0);
CREATE TABLE events (
        number INTEGER PRIMARY KEY,
        time_nanos INTEGER NOT NULL,
        workspace TEXT NOT NULL,
        workspace_id TEXT NOT NULL,
        before INTEGER NOT NULL,
        after INTEGER NOT NULL,
        gone INTEGER NOT NULL,
        cause INTEGER NOT NULL,
        detail TEXT NOT NULL
      ) STRICT;
INSERT INTO events VALUES(1,1700000000000001001,'runs','id-runs',0,0,0,0,'');
INSERT INTO events VALUES(2,1700000000000001001,'runs','id-runs',0,1,0,0,'');
INSERT INTO events VALUES(3,1700000000000001001,'runs','id-runs',1,2,0,0,'');
INSERT INTO events VALUES(4,1700000000000001001,'runs','id-runs',2,3,0,0,'');
INSERT INTO events VALUES(5,1700000000000001001,'runs','id-runs',3,3,0,6,'connections into the machine are broken');
INSERT INTO events VALUES(6,1700000000000001001,'runs','id-runs',3,3,0,7,'the machine can be reached again');
INSERT INTO events VALUES(7,1700000000000001002,'broke','id-broke',0,0,0,0,'');
INSERT INTO events VALUES(8,1700000000000001002,'broke','id-broke',0,6,0,3,'it''s no "kernel" ä');
INSERT INTO events VALUES(9,1700000000000001003,'grows','id-grows',0,0,0,0,'');
INSERT INTO events VALUES(10,1700000000000001003,'grows','id-grows',0,7,0,0,'');
INSERT INTO events VALUES(11,1700000000000001004,'gone','id-gone',0,0,0,0,'');
INSERT INTO events VALUES(12,1700000000000001004,'gone','id-gone',0,5,1,0,'');
INSERT INTO events VALUES(13,1700000000000001005,'reboots','id-reboots',0,0,0,0,'');
INSERT INTO events VALUES(14,1700000000000001005,'reboots','id-reboots',3,2,0,11,'');
CREATE TABLE requests (
        request_id TEXT PRIMARY KEY,
        asked TEXT NOT NULL,
        workspace_id TEXT NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE
      ) STRICT, WITHOUT ROWID;
INSERT INTO requests VALUES('request-1','start runs','id-runs');
CREATE INDEX requests_by_workspace ON requests(workspace_id);
)sql"_kj;

struct OldDatabase: public SqliteFixture {
  OldDatabase() {
    SqliteDatabase database(path);
    database.run(DUMP_OF_VERSION_3);
    database.run("PRAGMA user_version = 3");
  }
};

const MachineRow& machineOf(const StoredState& state, kj::StringPtr id) {
  for (auto& machine : state.machines) {
    if (machine.workspaceId == id) return machine;
  }
  KJ_FAIL_REQUIRE("no machine", id);
}

TEST_CASE("P41 a database of bothyd 0.1.0 is taken over, with all that is in it") {
  OldDatabase f;
  auto store = f.open();
  auto state = store->begin().wait(f.scope);
  REQUIRE(state.workspaces.size() == 8);
  for (auto& row : state.workspaces) CHECK(row.damage == "");
  REQUIRE(state.machines.size() == 8);
  CHECK(state.lastEvent == 14);
  CHECK(state.epoch == 1);

  // What was one state is a rest and an operation.
  auto is = [&](kj::StringPtr name, Rest rest, kj::StringPtr operation) {
    INFO(name.cStr());
    kj::String found;
    for (auto& o : state.operations) {
      if (o.workspaceId == kj::str("id-", name)) {
        found = kj::str(o.kind, ' ', o.step, ' ', o.parameters);
      }
    }
    CHECK(std::string(found.cStr()) == operation.cStr());
    for (auto& row : state.workspaces) {
      if (row.name == name) CHECK(row.rest == rest);
    }
  };
  is("broke", Rest::FAILED, "");
  is("goes", Rest::STOPPED, "delete key ");
  is("grows", Rest::STOPPED, "resize clear 8192");
  is("half", Rest::STOPPED, "delete key ");
  is("reboots", Rest::STOPPED, "start agent reboot");
  is("runs", Rest::RUNNING, "");
  is("starts", Rest::STOPPED, "start agent ");
  is("stops", Rest::RUNNING, "stop ask 10000");

  CHECK(state.workspaces[0].failure == "it's no \"kernel\" ä");
  auto& grows = state.workspaces[2];
  CHECK((grows.diskMib == 4096 && grows.cpus == 2 && grows.memoryMib == 512));
  auto& runs = state.workspaces[5];
  CHECK((runs.id == "id-runs" && runs.image == "base"));
  CHECK(runs.createdNanos == 1700000000000000001);
  auto& machine = machineOf(state, "id-runs");
  CHECK((machine.uid == 700001 && machine.cid == 4));
  for (auto& other : state.machines) {
    CHECK((other.workspaceId != "" && other.releasedNanos == 0));
    CHECK((other.cpus == 2 && other.memoryMib == 512));
  }
  for (auto& row : state.workspaces) {
    CHECK((row.tier == "" && row.user == "" && row.lastActiveNanos == 0));
    CHECK((row.tier == "" && row.labels == "" && row.setupFailure == ""));
    CHECK((!row.isConfigured && row.setupSteps == 0 && row.setupDone == 0));
  }
  const kj::byte secret[] = {0, 1, 39, 255};
  CHECK((machine.secret.asPtr() == kj::arrayPtr(secret, 4)));
  CHECK((machine.startedNanos == 1700000000000009999 && machine.agentVersion == "0.1.0"));

  auto request = KJ_ASSERT_NONNULL(store->request("request-1").wait(f.scope));
  CHECK((request.asked == "start runs" && request.workspaceId == "id-runs"));
  CHECK(request.outcome == RequestOutcome::OPEN);
  auto events = store->events(0, 100).wait(f.scope).events;
  REQUIRE(events.size() == 14);
  for (auto i : kj::indices(events)) {
    CHECK(events[i].number == i + 1);
    CHECK((events[i].count == 1 && events[i].firstNanos == events[i].timeNanos));
    CHECK(events[i].actor == "");
  }
  CHECK((events[11].gone && events[11].workspace == "gone"));
  CHECK((events[5].cause == Cause::VSOCK_RESTORED));

  // What refers to a workspace goes with it, as ever.
  store->commit(kj::mv(Change().removeWorkspace("id-runs", 77))).wait(f.scope);
  CHECK(store->request("request-1").wait(f.scope) == nullptr);
  state = store->begin().wait(f.scope);
  CHECK((state.workspaces.size() == 7 && state.operations.size() == 6));
  // But for the lease of its machine, which rests.
  CHECK(state.machines.size() == 8);
  CHECK(machineOf(state, "").uid == 700001);
  CHECK(machineOf(state, "").releasedNanos == 77);
}

TEST_CASE("R02 a database that is not taken over whole is as it was") {
  OldDatabase f;
  // In the way of the last table that is made.
  SqliteDatabase(f.path).run("CREATE TABLE writer (x INTEGER)");
  CHECK_THROWS(f.open());
  SqliteDatabase database(f.path);
  auto number = [&](kj::StringPtr sql) {
    SqliteStatement select(database, sql);
    REQUIRE(select.step());
    return select.integer(0);
  };
  CHECK(number("PRAGMA user_version") == 3);
  CHECK(number("SELECT count(*) FROM workspaces WHERE uid > 0") == 8);
  CHECK(number("SELECT count(*) FROM requests") == 1);
  CHECK(number("SELECT count(*) FROM sqlite_schema WHERE name='machines'") == 0);
  database.run("DROP TABLE writer");
  CHECK(f.open()->begin().wait(f.scope).workspaces.size() == 8);
}

TEST_CASE("a database of a newer bothyd is refused, and says so") {
  SqliteFixture f;
  SqliteDatabase(f.path).run("PRAGMA user_version = 99");
  auto refusal = KJ_ASSERT_NONNULL(kj::runCatchingExceptions([&]() { f.open(); }));
  INFO(refusal.getDescription().cStr());
  CHECK(strstr(refusal.getDescription().cStr(), "newer bothyd") != nullptr);
}

}  // namespace
}  // namespace bothy
