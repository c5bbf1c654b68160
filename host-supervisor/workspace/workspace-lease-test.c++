// When a workspace has a lease for its machine, and when another may have it.

#include <string.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "workspace/test-world.h"

namespace bothy {
namespace {

// A host with a running workspace `demo`, and so many user ids for machines.
struct LeaseHost {
  TestWorld w;
  kj::String id;
  uint32_t uid;

  explicit LeaseHost(uint32_t uids = 10000) {
    w.limits.leases.count = uids;
    w.restart();
    w.manager->create(w.request("demo"), nullptr).wait(w.scope);
    id = kj::str(w.find("demo")->row().id);
    uid = w.lease("demo").uid;
    REQUIRE(w.volumes.owner(id) == uid);
  }
  kj::String whyNotStarted(kj::StringPtr name) {
    auto outcome = w.find(name)->start(nullptr).wait(w.scope);
    auto& report = *outcome.get<kj::Own<StartReport>>();
    return kj::str(KJ_ASSERT_NONNULL(report.failure).message);
  }
  void later() {
    w.settle();
    w.advance(Deadlines().retry.most);
    w.settle();
  }
  void checkReleased() {
    CHECK(w.find("demo")->machineRow() == nullptr);
    CHECK(w.storedLeases() == 0);
    CHECK(w.manager->leasesInUse() == 0);
    CHECK(w.volumes.owner(id) == 0);
  }
  // It waits for something of its machine.
  void checkKept() {
    CHECK(w.lease("demo").uid == uid);
    CHECK(w.lease("demo").secret.size() == 0);
    CHECK(w.storedLeases() == 1);
    CHECK(w.manager->leasesInUse() == 1);
  }
};

TEST_CASE("S20 a host has more workspaces than user ids, and as many machines") {
  LeaseHost h(2);
  auto& w = h.w;
  for (auto name : {"two", "three", "four"}) {
    auto made = w.manager->create(w.request(name, false), nullptr).wait(w.scope);
    CHECK(made.is<WorkspaceManager::Created>());
  }
  w.find("two")->start(nullptr).wait(w.scope);
  CHECK(h.whyNotStarted("three") ==
        "all 2 user ids for machines are taken: stop a workspace, or raise uid-count");
  CHECK(w.find("three")->state() == WorkspaceState::FAILED);
  CHECK(w.driver.running().size() == 2);

  w.find("demo")->stop(0).wait(w.scope);
  CHECK(strstr(h.whyNotStarted("three").cStr(), "or rest for 60 more seconds") != nullptr);
  SECTION("the same bothyd") {}
  SECTION("the next one") {
    w.restart();
  }
  w.advance(LEASE_REST - 1 * kj::SECONDS);
  CHECK(strstr(h.whyNotStarted("three").cStr(), "or rest for 1 more seconds") != nullptr);
  w.advance(1 * kj::SECONDS);
  w.find("three")->start(nullptr).wait(w.scope);
  CHECK(w.lease("three").uid == h.uid);
}

TEST_CASE("S20 a creation that finds no user id says so, and has made the workspace") {
  LeaseHost h(1);
  auto outcome = h.w.manager->create(h.w.request("two"), nullptr).wait(h.w.scope);
  auto& failure = outcome.get<StartReport::Failure>();
  CHECK(failure.stage == Stage::STARTING_VM);
  CHECK(failure.fault == StartFault::OTHER);
  CHECK(strstr(failure.message.cStr(), "raise uid-count") != nullptr);
  CHECK(h.w.find("two")->state() == WorkspaceState::FAILED);
  CHECK(h.w.volumes.count() == 2);
}

TEST_CASE("S20 a lease is released when the machine is gone and the disk is root's again") {
  LeaseHost h;
  auto& w = h.w;
  SECTION("by a stop") {
    w.find("demo")->stop(0).wait(w.scope);
    h.checkReleased();
  }
  SECTION("by its guest") {
    w.driver.end(h.id, VmEnd::POWERED_OFF);
  }
  SECTION("since it broke") {
    w.driver.end(h.id, VmEnd::EXITED);
  }
  SECTION("while no bothyd ran") {
    w.manager = nullptr;
    w.driver.end(h.id, VmEnd::EXITED);
    w.restart();
  }
  SECTION("by a start that failed") {
    w.agentAnswers = false;
    w.driver.end(h.id, VmEnd::REBOOTED);
    w.settle();
    CHECK(w.lease("demo").uid == h.uid);
    w.driver.end(h.id, VmEnd::CRASHED);
  }
  SECTION("by a start that began nothing") {
    w.find("demo")->stop(0).wait(w.scope);
    w.images.isInstalled = false;
    h.whyNotStarted("demo");
  }
  SECTION("by a start that made no machine") {
    w.find("demo")->stop(0).wait(w.scope);
    w.volumes.isFull = true;
    h.whyNotStarted("demo");
    h.checkReleased();
  }
  SECTION("by a start whose machine did not come to be") {
    w.find("demo")->stop(0).wait(w.scope);
    w.driver.failStarts(KJ_EXCEPTION(FAILED, "no"));
    h.whyNotStarted("demo");
  }
  w.settle();
  h.checkReleased();
  w.agentAnswers = true;
  w.images.isInstalled = true;
  w.volumes.isFull = false;
  w.find("demo")->start(nullptr).wait(w.scope);
  CHECK(w.volumes.owner(h.id) == w.lease("demo").uid);
}

TEST_CASE("P28 S20 the driver is told whose what is left of a machine is") {
  LeaseHost h;
  h.w.driver.end(h.id, VmEnd::EXITED);
  h.w.settle();
  CHECK(h.w.driver.removedUser == h.uid);
}

TEST_CASE("S20 a lease whose machine or disk cannot be taken from it stays, until that is done") {
  LeaseHost h;
  auto& w = h.w;
  enum class Kept { MACHINE, DISK_OF_BROKEN, DISK_OF_STOPPED };
  switch (GENERATE(Kept::MACHINE, Kept::DISK_OF_BROKEN, Kept::DISK_OF_STOPPED)) {
    case Kept::MACHINE:
      w.agentAnswers = false;
      w.driver.end(h.id, VmEnd::REBOOTED);
      w.settle();
      w.driver.failRemovals(1000);
      w.generation = rpc::GENERATION + 1;
      w.agentAnswers = true;
      w.advance(5 * kj::SECONDS);
      w.settle();
      REQUIRE(w.find("demo")->state() == WorkspaceState::FAILED);
      REQUIRE(w.driver.isRunning(h.id));
      w.generation = rpc::GENERATION;
      break;
    case Kept::DISK_OF_BROKEN:
      w.volumes.failuresToReclaim = 1000;
      w.driver.end(h.id, VmEnd::EXITED);
      break;
    case Kept::DISK_OF_STOPPED:
      w.volumes.failuresToReclaim = 1000;
      w.find("demo")->stop(0).wait(w.scope);
      break;
  }
  h.later();
  h.checkKept();
  SECTION("the same bothyd") {}
  SECTION("the next bothyd") {
    w.restart();
    h.later();
    h.checkKept();
  }
  SECTION("a start keeps it") {
    w.driver.failRemovals(0);
    w.volumes.failuresToReclaim = 0;
    w.find("demo")->start(nullptr).wait(w.scope);
    CHECK(w.lease("demo").uid == h.uid);
    CHECK(w.storedLeases() == 1);
    return;
  }
  SECTION("a larger disk") {
    w.driver.failRemovals(0);
    w.volumes.failuresToReclaim = 0;
    CHECK(w.find("demo")->resize(8192).wait(w.scope).is<Workspace::Resized>());
    h.checkReleased();
  }
  SECTION("a delete") {
    w.driver.failRemovals(0);
    w.find("demo")->erase().wait(w.scope);
    CHECK(w.storedLeases() == 0);
    CHECK(w.manager->leasesInUse() == 0);
    return;
  }
  w.driver.failRemovals(0);
  w.volumes.failuresToReclaim = 0;
  h.later();
  h.checkReleased();
}

TEST_CASE("S20 a lease that is on its way to the store is nobody else's, whoever gives up") {
  LeaseHost h;
  auto& w = h.w;
  w.find("demo")->stop(0).wait(w.scope);
  // To the change that gives it.
  w.refusing.holdWrites();
  auto starting = w.find("demo")->start(nullptr);
  for (int i = 0; i < 2; i++) {
    w.settle();
    w.refusing.letWritesGo();
    w.refusing.holdWrites();
  }
  w.settle();
  REQUIRE(w.refusing.heldWrites() == 1);
  REQUIRE(w.manager->leasesInUse() == 1);
  // Its deadline.
  w.advance(Deadlines().start);
  w.settle();
  CHECK(w.manager->leasesInUse() == 1);
  w.refusing.letWritesGo();
  CHECK(starting.wait(w.scope).get<kj::Own<StartReport>>()->failure != nullptr);
  h.checkReleased();
}

TEST_CASE("P41 a running workspace of which the database has no machine is failed, and goes on") {
  LeaseHost h;
  auto& w = h.w;
  w.store->commit(kj::mv(Change().releaseMachine(h.id, 1)));
  w.restart();
  w.settle();
  CHECK(w.find("demo")->state() == WorkspaceState::FAILED);
  CHECK(strstr(w.find("demo")->row().failure.cStr(), "no row of a machine") != nullptr);
  CHECK(w.driver.isRunning(h.id));
  // The driver knows its user id.
  w.manager->create(w.request("new"), nullptr).wait(w.scope);
  CHECK(w.lease("new").uid != h.uid);
  w.find("demo")->erase().wait(w.scope);
  CHECK_FALSE(w.driver.isRunning(h.id));
}

TEST_CASE("S20 the user id of a machine of no workspace is given to none until that is gone") {
  const bool keepsDisk = GENERATE(false, true);
  LeaseHost h(2);
  auto& w = h.w;
  w.manager->create(w.request("new", false), nullptr).wait(w.scope);
  w.store->commit(kj::mv(Change().removeWorkspace(h.id, 1)));
  w.driver.failRemovals(1);
  SECTION("which the driver knows") {
    w.restart();
    w.find("new")->start(nullptr).wait(w.scope);
    CHECK(w.lease("new").uid != h.uid);
    w.find("new")->stop(0).wait(w.scope);
  }
  SECTION("which nobody knows") {
    w.driver.recordsAreDamaged = true;
    w.restart();
    CHECK(strstr(h.whyNotStarted("new").cStr(), "of no workspace") != nullptr);
  }
  SECTION("which could not be read at first") {
    w.driver.listingsToFail = 1;
    w.restart();
    CHECK(strstr(h.whyNotStarted("new").cStr(), "cannot be read") != nullptr);
  }
  CHECK(w.driver.isRunning(h.id));
  if (keepsDisk) {
    w.volumes.failuresToReclaim = 1;
    h.later();
    CHECK_FALSE(w.driver.isRunning(h.id));
    CHECK(w.volumes.owner(h.id) == h.uid);
  }
  h.later();
  CHECK_FALSE(w.driver.isRunning(h.id));
  CHECK(w.volumes.owner(h.id) == 0);
  w.advance(LEASE_REST);
  for (auto name : {"new", "third"}) {
    w.manager->create(w.request(name, false), nullptr).wait(w.scope);
    auto outcome = w.find(name)->start(nullptr).wait(w.scope);
    CHECK(outcome.get<kj::Own<StartReport>>()->failure == nullptr);
  }
}

TEST_CASE("S20 what the machine of a workspace has, and no row tells, is free when that is gone") {
  LeaseHost h(1);
  auto& w = h.w;
  w.manager->create(w.request("new", false), nullptr).wait(w.scope);
  auto row = w.find("demo")->row().clone();
  row.rest = Rest::STOPPED;
  w.store->commit(kj::mv(Change().update(kj::mv(row)).releaseMachine(h.id, 1)));
  w.restart();
  w.settle();
  CHECK_FALSE(w.driver.isRunning(h.id));
  CHECK(h.whyNotStarted("new").size() > 0);
  w.advance(LEASE_REST);
  w.find("new")->start(nullptr).wait(w.scope);
  CHECK(w.lease("new").uid == h.uid);
}

TEST_CASE(
    "S20 a start ends what its own workspace had without a row, and then keeps nobody from a "
    "lease") {
  LeaseHost h(2);
  auto& w = h.w;
  w.manager->create(w.request("new", false), nullptr).wait(w.scope);
  auto row = w.find("demo")->row().clone();
  row.rest = Rest::STOPPED;
  w.store->commit(kj::mv(Change().update(kj::mv(row)).releaseMachine(h.id, 1)));
  w.driver.recordsAreDamaged = true;
  // That of strays, and its own: the start comes before that is tried again.
  w.driver.failRemovals(2);
  w.restart();
  w.settle();
  CHECK(w.driver.isRunning(h.id));
  for (auto name : {"demo", "new"}) {
    auto outcome = w.find(name)->start(nullptr).wait(w.scope);
    CHECK(outcome.get<kj::Own<StartReport>>()->failure == nullptr);
  }
}

TEST_CASE("P28 what an older bothyd stored of workspaces that do not run is released") {
  TestWorld w;
  for (auto name : {"rests", "half"}) {
    w.manager->create(w.request(name, false), nullptr).wait(w.scope);
  }
  uint32_t uid = 700005;
  for (auto name : {"rests", "half"}) {
    auto id = kj::str(w.find(name)->row().id);
    w.volumes.give(id, uid).wait(w.scope);
    w.store->commit(kj::mv(Change().put(MachineRow{uid, FIRST_CID + uid - 700000, kj::mv(id)})));
    uid++;
  }
  w.leave("half", OperationKind::CREATE, "disk");
  w.restart();
  w.settle();
  for (auto name : {"rests", "half"}) {
    CHECK(w.find(name)->state() == WorkspaceState::STOPPED);
    CHECK(w.volumes.owner(w.find(name)->row().id) == 0);
  }
  CHECK(w.storedLeases() == 0);
  CHECK(w.manager->leasesInUse() == 0);
}

}  // namespace
}  // namespace bothy
