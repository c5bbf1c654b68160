// Rows that the database refuses.

#include <string.h>

#include <catch2/catch_test_macros.hpp>

#include "store/sqlite-database.h"
#include "workspace/test-world.h"

namespace bothy {
namespace {

TEST_CASE("P28 a start whose row the database refuses has failed, and the next has another lease") {
  TestWorld w;
  w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  // Which bothyd has not seen.
  auto sql =
      kj::str("INSERT INTO machines VALUES(1, ", FIRST_CID, ", 'other', x'', 0, '', 0, 0, 0, 0)");
  SqliteDatabase(kj::str(w.directory, "/state.db")).run(sql);
  auto outcome = w.find("demo")->start(nullptr).wait(w.scope);
  auto& failure = KJ_ASSERT_NONNULL(outcome.get<kj::Own<StartReport>>()->failure);
  CHECK(strstr(failure.message.cStr(), "the database refuses a row") != nullptr);
  CHECK(w.stored() == WorkspaceState::FAILED);
  auto events = w.store->events(0, 100);
  CHECK(events.back().cause == Cause::START_FAILED);
  CHECK(w.manager->leasesInUse() == 0);
  w.find("demo")->start(nullptr).wait(w.scope);
  CHECK(w.find("demo")->state() == WorkspaceState::RUNNING);
  CHECK(w.lease("demo").cid == FIRST_CID + 1);
}

// A host whose database somebody else changes.
struct Refused {
  TestWorld w;

  void run(kj::StringPtr sql) { SqliteDatabase(kj::str(w.directory, "/state.db")).run(sql); }
  // So long that whoever is asked for again was asked for many times.
  void later() {
    for (int i = 0; i < 5; i++) {
      w.settle();
      w.advance(Deadlines().retry.most);
    }
    w.settle();
  }
  void checkFailed() {
    CHECK(w.find("demo")->state() == WorkspaceState::FAILED);
    CHECK(strstr(w.find("demo")->row().failure.cStr(), "the database refuses a row") != nullptr);
  }
};

TEST_CASE(
    "P28 an operation whose rows the database refuses has failed, and is not asked for again") {
  Refused r;
  auto& w = r.w;
  w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  auto workspace = w.find("demo");
  SECTION("at its end, a start") {
    w.agentAnswers = false;
    auto starting = workspace->start(nullptr);
    CHECK_FALSE(starting.poll(w.scope));
    r.run("DELETE FROM operations");
    w.agentAnswers = true;
    w.advance(2 * kj::SECONDS);
    CHECK_THROWS(starting.wait(w.scope));
    CHECK(w.driver.running().size() == 0);
  }
  SECTION("at its end, a stop") {
    workspace->start(nullptr).wait(w.scope);
    auto machine = KJ_ASSERT_NONNULL(workspace->machine());
    w.powersOff = false;
    auto stopping = workspace->stop(0);
    CHECK_FALSE(stopping.poll(w.scope));
    r.run("DELETE FROM operations");
    w.advance(Deadlines().powerOffMargin);
    CHECK_THROWS(stopping.wait(w.scope));
    CHECK(w.driver.running().size() == 0);
    CHECK(machine->isRetired());
  }
  SECTION("at its next step") {
    w.driver.failRemovals(1);
    auto resizing = workspace->resize(8192);
    CHECK_FALSE(resizing.poll(w.scope));
    r.run("DELETE FROM operations");
    w.advance(1 * kj::SECONDS);
    CHECK_THROWS(resizing.wait(w.scope));
  }
  r.checkFailed();
  auto again = workspace->start(nullptr).wait(w.scope);
  CHECK(again.get<kj::Own<StartReport>>()->failure != nullptr);
  // What is stored is what the next bothyd has.
  workspace = nullptr;
  w.restart();
  r.later();
  CHECK(w.find("demo")->state() == WorkspaceState::STOPPED);
  w.find("demo")->start(nullptr).wait(w.scope);
  CHECK(w.find("demo")->state() == WorkspaceState::RUNNING);
}

TEST_CASE("P28 a delete whose end the database refuses says so, and may be asked for again") {
  Refused r;
  auto& w = r.w;
  w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  w.volumes.failuresToDestroy = 1;
  auto erasing = w.find("demo")->erase();
  CHECK_FALSE(erasing.poll(w.scope));
  r.run("CREATE TRIGGER refuse BEFORE DELETE ON workspaces BEGIN SELECT RAISE(ABORT, 'no'); END");
  w.advance(1 * kj::SECONDS);
  CHECK_THROWS(erasing.wait(w.scope));
  CHECK(w.find("demo")->state() == WorkspaceState::DELETING);
  r.run("DROP TRIGGER refuse");
  w.find("demo")->erase().wait(w.scope);
  CHECK(w.manager->find("demo") == nullptr);
  CHECK(w.store->workspaces().size() == 0);
}

TEST_CASE("P58 an end of a machine that the database refuses is shown, and not asked for again") {
  Refused r;
  auto& w = r.w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  r.run("CREATE TRIGGER refuse BEFORE UPDATE ON workspaces BEGIN SELECT RAISE(ABORT, 'no'); END");
  w.driver.end(w.driver.running()[0], VmEnd::POWERED_OFF);
  r.later();
  r.checkFailed();
  CHECK(w.stored() == WorkspaceState::RUNNING);
  // Nobody asks for it again.
  w.refusing.writesToRefuse = 1;
  r.later();
  CHECK(w.refusing.writesToRefuse == 1);
  w.refusing.writesToRefuse = 0;
  r.run("DROP TRIGGER refuse");
  SECTION("a delete") {
    w.find("demo")->erase().wait(w.scope);
    CHECK(w.manager->find("demo") == nullptr);
  }
  SECTION("the next bothyd") {
    w.restart();
    r.later();
    CHECK(w.find("demo")->state() == WorkspaceState::STOPPED);
  }
  requireChain(w);
}

TEST_CASE(
    "P58 an end of a machine whose event is refused is stored later, and another may follow") {
  Refused r;
  auto& w = r.w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  r.run(kj::str("CREATE TRIGGER refuse BEFORE INSERT ON events WHEN NEW.cause=",
                static_cast<int>(Cause::GUEST_POWERED_OFF),
                " BEGIN SELECT RAISE(ABORT, 'no'); END"));
  SECTION("at once") {}
  SECTION("when its lease is to be released") {
    w.refusing.writesToRefuse = 1;
  }
  w.driver.end(w.driver.running()[0], VmEnd::POWERED_OFF);
  r.later();
  r.checkFailed();
  // With what was stored when its lease was released.
  CHECK(w.stored() == WorkspaceState::FAILED);
  CHECK(w.storedLeases() == 0);
  auto failed = w.store->events(0, 100);
  CHECK(failed.back().before == WorkspaceState::RUNNING);
  CHECK(failed.back().after == WorkspaceState::FAILED);
  CHECK(failed.back().cause == Cause::RECOVERED);
  CHECK(failed.back().detail == w.find("demo")->row().failure);
  requireChain(w);
  SECTION("the same bothyd") {}
  SECTION("the next one") {
    w.restart();
    r.checkFailed();
  }
  CHECK(w.find("demo")->start(nullptr).wait(w.scope).get<kj::Own<StartReport>>()->failure ==
        nullptr);
  CHECK(w.find("demo")->state() == WorkspaceState::RUNNING);
  requireChain(w);
}

TEST_CASE("P58 a stop whose end is refused is a workspace that failed, once that can be stored") {
  Refused r;
  auto& w = r.w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  w.volumes.failuresToReclaim = kj::maxValue;
  r.run("CREATE TRIGGER refuse BEFORE DELETE ON operations BEGIN SELECT RAISE(ABORT, 'no'); END");
  auto workspace = w.find("demo");
  CHECK_THROWS(workspace->stop(0).wait(w.scope));
  r.checkFailed();
  CHECK(w.stored() == WorkspaceState::STOPPING);
  requireChain(w);
  // What is left of its machine is removed all the same, and its lease released.
  r.run("DROP TRIGGER refuse");
  w.volumes.failuresToReclaim = 0;
  SECTION("with the release of its lease") {
    r.later();
    r.checkFailed();
    CHECK(w.stored() == WorkspaceState::FAILED);
    CHECK(w.storedLeases() == 0);
    auto events = w.store->events(0, 100);
    CHECK(events.back().before == WorkspaceState::STOPPING);
    CHECK(events.back().detail == workspace->row().failure);
  }
  SECTION("unless that it failed is refused too") {
    r.run("CREATE TRIGGER refuse BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no'); END");
    r.later();
    r.checkFailed();
    CHECK(w.stored() == WorkspaceState::STOPPING);
    CHECK(w.storedLeases() == 1);
    r.run("DROP TRIGGER refuse");
    workspace = nullptr;
    w.restart();
    r.later();
    CHECK(w.stored() == WorkspaceState::STOPPED);
    requireChain(w);
    return;
  }
  requireChain(w);
  workspace->start(nullptr).wait(w.scope);
  CHECK(workspace->state() == WorkspaceState::RUNNING);
  requireChain(w);
}

TEST_CASE("P58 what is on its way to the store when an end is refused leaves that refused") {
  TestWorld w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  w.leave("demo", OperationKind::STOP, "end");
  auto state = w.store->state();
  const World world{w.refusing, *w.events,    w.keys,  w.volumes, w.driver,   w.images,
                    w.files,    w.randomness, w.timer, w.clock,   Deadlines()};
  MachineLeases leases(w.timer, w.clock, {});
  HostCapacity capacity{CapacityPolicy()};
  leases.enter(state.machines);
  WorkspaceJournal journal(
      world, leases, capacity,
      {kj::mv(state.workspaces[0]), kj::mv(state.machines[0]), kj::mv(state.operations[0])},
      []() {});
  w.refusing.holdWrites();
  auto releasing = journal.update([](WorkspaceJournal::Rows& rows) { rows.machine = nullptr; });
  w.settle();
  REQUIRE(w.refusing.heldWrites() == 1);
  journal.unsettled(rowRefused("no"));
  w.refusing.letWritesGo();
  releasing.wait(w.scope);
  CHECK(leases.inUse() == 0);
  CHECK(journal.state() == WorkspaceState::FAILED);
  CHECK(journal.row().damage.size() > 0);
  CHECK(w.stored() == WorkspaceState::STOPPING);
  // What is stored next has it.
  journal.update([](WorkspaceJournal::Rows&) {}).wait(w.scope);
  CHECK(journal.row().damage.size() == 0);
  CHECK(journal.state() == WorkspaceState::FAILED);
  CHECK(w.stored() == WorkspaceState::FAILED);
  auto told = w.store->events(0, 100);
  CHECK(told.back().before == WorkspaceState::STOPPING);
  CHECK(told.back().after == WorkspaceState::FAILED);
}

TEST_CASE("P58 a change is stored also where what happened before it is refused just then") {
  Refused r;
  auto& w = r.w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  w.leave("demo", OperationKind::STOP, "end");
  auto state = w.store->state();
  const World world{w.refusing, *w.events,    w.keys,  w.volumes, w.driver,   w.images,
                    w.files,    w.randomness, w.timer, w.clock,   Deadlines()};
  MachineLeases leases(w.timer, w.clock, {});
  HostCapacity capacity{CapacityPolicy()};
  leases.enter(state.machines);
  WorkspaceJournal journal(
      world, leases, capacity,
      {kj::mv(state.workspaces[0]), kj::mv(state.machines[0]), kj::mv(state.operations[0])},
      []() {});
  const auto bytes = journal.row().diskMib + 100;
  r.run(kj::str("CREATE TRIGGER refuse BEFORE INSERT ON events WHEN new.cause = ",
                static_cast<int>(Cause::GUEST_POWERED_OFF),
                " BEGIN SELECT RAISE(ABORT, 'no'); END"));
  // The store is away, and what happens is not tried before the change.
  w.refusing.writesToRefuse = 1;
  journal.transitionAnyway(journal.resting(Rest::STOPPED), Cause::GUEST_POWERED_OFF, nullptr);
  w.settle();
  journal.update([&](WorkspaceJournal::Rows& rows) { rows.row.diskMib = bytes; }).wait(w.scope);
  CHECK(journal.row().diskMib == bytes);
  CHECK(journal.state() == WorkspaceState::FAILED);
  CHECK(w.store->workspaces()[0].diskMib == bytes);
  CHECK(w.stored() == WorkspaceState::FAILED);
}

TEST_CASE("P58 a reboot that the database refuses is a start that failed, and another may follow") {
  Refused r;
  auto& w = r.w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  r.run("CREATE TRIGGER refuse BEFORE INSERT ON operations BEGIN SELECT RAISE(ABORT, 'no'); END");
  w.driver.end(w.driver.running()[0], VmEnd::REBOOTED);
  r.later();
  r.checkFailed();
  CHECK(w.stored() == WorkspaceState::FAILED);
  auto events = w.store->events(0, 100);
  CHECK(events.back().cause == Cause::START_FAILED);
  CHECK(events.back().before == WorkspaceState::RUNNING);
  r.run("DROP TRIGGER refuse");
  w.find("demo")->start(nullptr).wait(w.scope);
  CHECK(w.find("demo")->state() == WorkspaceState::RUNNING);
}

TEST_CASE("P58 a notice that the database refuses is dropped, and what comes after it is stored") {
  Refused r;
  auto& w = r.w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  auto name = kj::mv(w.driver.running()[0]);
  r.run(kj::str("CREATE TRIGGER refuse BEFORE INSERT ON events WHEN NEW.cause=",
                static_cast<int>(Cause::VSOCK_LOST), " BEGIN SELECT RAISE(ABORT, 'no'); END"));
  w.driver.loseVsock(name);
  w.settle();
  w.driver.restoreVsock(name);
  w.settle();
  CHECK(w.store->events(0, 100).back().cause == Cause::VSOCK_RESTORED);
  CHECK(w.find("demo")->state() == WorkspaceState::RUNNING);
  w.find("demo")->stop(0).wait(w.scope);
  CHECK(w.stored() == WorkspaceState::STOPPED);
}

TEST_CASE("P28 a lease whose release the database refuses is kept") {
  TestWorld w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  auto uid = w.lease("demo").uid;
  w.volumes.failuresToReclaim = 1;
  w.find("demo")->stop(0).wait(w.scope);
  SqliteDatabase(kj::str(w.directory, "/state.db")).run("DELETE FROM machines");
  for (int i = 0; i < 3; i++) {
    w.settle();
    w.advance(Deadlines().retry.most);
  }
  w.settle();
  CHECK(w.lease("demo").uid == uid);
  CHECK(w.manager->leasesInUse() == 1);
  w.find("demo")->start(nullptr).wait(w.scope);
  CHECK(w.find("demo")->state() == WorkspaceState::RUNNING);
  CHECK(w.lease("demo").uid == uid);
}

}  // namespace
}  // namespace bothy
