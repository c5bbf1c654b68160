// When a workspace has a lease for its machine, and when another may have it.

#include <string.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "workspace/test-lease-host.h"

namespace bothy {
namespace {

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
