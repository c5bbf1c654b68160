// A world that fails between an operation and its end.

#include <string.h>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "workspace/test-world.h"

namespace bothy {
namespace {

constexpr uint64_t MIB = 1024 * 1024;

TEST_CASE("P28 a database that cannot be read after a change undoes nothing") {
  TestWorld w;
  w.refusing.refusesReads = true;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  auto workspace = w.find("demo");
  CHECK(workspace->state() == WorkspaceState::RUNNING);
  workspace->stop(0).wait(w.scope);
  workspace->erase().wait(w.scope);
  CHECK(w.manager->find("demo") == nullptr);
  CHECK(w.store->workspaces().size() == 0);
}

TEST_CASE("P58 a change that the database refuses is stored later, with its event") {
  TestWorld w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  // The release of its lease waits for it, and tries it as well.
  w.refusing.writesToRefuse = 4;
  w.driver.end(w.driver.running()[0], VmEnd::POWERED_OFF);
  w.settle();
  CHECK(w.find("demo")->state() == WorkspaceState::STOPPED);
  CHECK(w.stored() == WorkspaceState::RUNNING);
  SECTION("by itself") {
    w.advance(1 * kj::SECONDS);
    w.settle();
    CHECK(w.stored() == WorkspaceState::RUNNING);
    w.advance(2 * kj::SECONDS);
    w.settle();
  }
  SECTION("before the next change") {
    w.refusing.writesToRefuse = 0;
    w.find("demo")->start(nullptr).wait(w.scope);
    w.find("demo")->stop(0).wait(w.scope);
  }
  SECTION("before the end of a delete") {
    w.refusing.writesToRefuse = 0;
    w.find("demo")->erase().wait(w.scope);
    CHECK(w.store->events(0, 100).back().gone);
    requireChain(w);
    return;
  }
  CHECK(w.stored() == WorkspaceState::STOPPED);
  bool told = false;
  for (auto& event : w.store->events(0, 100)) told |= event.cause == Cause::GUEST_POWERED_OFF;
  CHECK(told);
  requireChain(w);
}

TEST_CASE("nobody is told of the end of an operation before it is stored") {
  TestWorld w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  auto workspace = w.find("demo");
  SECTION("a stop") {
    w.powersOff = false;
    auto stopping = workspace->stop(0);
    CHECK_FALSE(stopping.poll(w.scope));
    // That the machine is ended by force, which does not wait for the store, and that it is.
    w.refusing.writesToRefuse = 2;
    w.advance(16 * kj::SECONDS);
    CHECK_FALSE(stopping.poll(w.scope));
    CHECK(workspace->state() == WorkspaceState::STOPPING);
    w.advance(1 * kj::SECONDS);
    stopping.wait(w.scope);
  }
  SECTION("a resize that fails") {
    workspace->stop(0).wait(w.scope);
    w.volumes.isFull = true;
    w.refusing.writesToTake = 1;
    w.refusing.writesToRefuse = 1;
    auto resizing = workspace->resize(8192);
    CHECK_FALSE(resizing.poll(w.scope));
    CHECK(workspace->state() == WorkspaceState::RESIZING);
    w.advance(1 * kj::SECONDS);
    CHECK(resizing.wait(w.scope).is<Workspace::ResizeFailure>());
  }
  CHECK(w.stored() == WorkspaceState::STOPPED);
  requireChain(w);
}

TEST_CASE("R02 a start whose end the database refuses is told when it is stored") {
  TestWorld w;
  w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  auto workspace = w.find("demo");
  w.driver.holdStarts();
  auto starting = workspace->start(nullptr);
  CHECK_FALSE(starting.poll(w.scope));
  w.refusing.writesToRefuse = 1;
  w.driver.releaseStarts();
  CHECK_FALSE(starting.poll(w.scope));
  CHECK(workspace->state() == WorkspaceState::STARTING);
  w.advance(1 * kj::SECONDS);
  CHECK(starting.wait(w.scope).get<kj::Own<StartReport>>()->failure == nullptr);
  CHECK(w.stored() == WorkspaceState::RUNNING);
  requireChain(w);
}

// The failure of a start that does not succeed.
const StartReport::Failure& failureOf(const Workspace::StartOutcome& outcome) {
  return KJ_ASSERT_NONNULL(outcome.get<kj::Own<StartReport>>()->failure);
}

TEST_CASE("P30 a start on a full disk of the host says so at once, and starts nothing") {
  TestWorld w;
  w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  auto workspace = w.find("demo");
  w.volumes.isFull = true;
  w.files.console = kj::str("words of an earlier boot");
  auto started = workspace->start(nullptr).wait(w.scope);
  CHECK(failureOf(started).fault == StartFault::DISK);
  CHECK(failureOf(started).console == "");
  CHECK(failureOf(started).message == "the disk is full");
  CHECK(w.driver.startCount() == 0);
  w.volumes.isFull = false;
  workspace->start(nullptr).wait(w.scope);
  CHECK(workspace->state() == WorkspaceState::RUNNING);
}

TEST_CASE("S09 P28 files whose disk hangs fail a start, hold up a delete, and nobody else") {
  TestWorld w;
  w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  w.manager->create(w.request("other", false), nullptr).wait(w.scope);
  auto workspace = w.find("demo");
  w.files.hangs = true;
  auto starting = workspace->start(nullptr);
  CHECK_FALSE(starting.poll(w.scope));
  w.advance(Deadlines().disk);
  auto started = starting.wait(w.scope);
  CHECK(failureOf(started).fault == StartFault::DISK);
  CHECK(failureOf(started).message == "the machine's files could not be made within 60 s");
  CHECK(w.driver.startCount() == 0);
  auto erasing = workspace->erase();
  CHECK_FALSE(erasing.poll(w.scope));
  w.files.hangs = false;
  w.find("other")->start(nullptr).wait(w.scope);
  CHECK(w.find("other")->state() == WorkspaceState::RUNNING);
  w.advance(Deadlines().disk);
  CHECK_FALSE(erasing.poll(w.scope));
  w.advance(1 * kj::SECONDS);
  erasing.wait(w.scope);
  CHECK(w.manager->find("demo") == nullptr);
}

TEST_CASE(
    "P30 a machine that stands still on a full disk while it starts is told with that cause") {
  TestWorld w;
  w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  auto workspace = w.find("demo");
  w.agentAnswers = false;
  auto starting = workspace->start(nullptr);
  CHECK_FALSE(starting.poll(w.scope));
  w.driver.stall(w.driver.running()[0]);
  w.advance(120 * kj::SECONDS);
  auto started = starting.wait(w.scope);
  CHECK(failureOf(started).fault == StartFault::DISK);
  CHECK(failureOf(started).message == "the host's disk is full: the machine stood still");
  CHECK(w.driver.running().size() == 0);
}

TEST_CASE("P30 R20 a console that cannot be read in time costs a failed start its console alone") {
  TestWorld w;
  w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  w.driver.failStarts(KJ_EXCEPTION(FAILED, "QEMU says no"));
  w.files.console = kj::str("words of this boot");
  w.files.consoleHangs = GENERATE(false, true);
  auto starting = w.find("demo")->start(nullptr);
  CHECK(starting.poll(w.scope) != w.files.consoleHangs);
  w.advance(Deadlines().disk - 1 * kj::NANOSECONDS);
  CHECK(starting.poll(w.scope) != w.files.consoleHangs);
  w.advance(1 * kj::NANOSECONDS);
  auto started = starting.wait(w.scope);
  CHECK(failureOf(started).message == "QEMU says no");
  CHECK(failureOf(started).console == (w.files.consoleHangs ? "" : "words of this boot"));
}

TEST_CASE("R20 keys or disks that fail at once cost what asked for them, and nothing else") {
  TestWorld w;
  for (auto name : {"runs", "stops"}) w.manager->create(w.request(name), nullptr).wait(w.scope);
  for (auto name : {"rests", "grows"}) {
    w.manager->create(w.request(name, false), nullptr).wait(w.scope);
  }
  const bool areKeys = GENERATE(false, true);
  auto setFault = [&](bool isThere) {
    (areKeys ? w.keys.throwsAtOnce : w.volumes.throwsAtOnce) = isThere;
  };
  setFault(true);
  auto making = w.manager->create(w.request("new", false), nullptr);
  auto resizing = w.find("grows")->resize(8192);
  CHECK(failureOf(w.find("rests")->start(nullptr).wait(w.scope)).fault == StartFault::DISK);
  w.find("stops")->stop(0).wait(w.scope);
  auto erasing = w.find("rests")->erase();
  for (int i = 0; i < 10; i++) {
    w.settle();
    w.advance(Deadlines().retry.most);
  }
  CHECK(making.wait(w.scope).is<WorkspaceManager::NoSpace>());
  CHECK(resizing.wait(w.scope).is<Workspace::Resized>() == areKeys);
  CHECK(erasing.wait(w.scope).is<Underway>());
  CHECK(w.find("stops")->state() == WorkspaceState::STOPPED);
  // Also when the next bothyd lists them.
  w.restart();
  CHECK(w.find("runs")->state() == WorkspaceState::RUNNING);
  setFault(false);
  for (int i = 0; i < 3; i++) {
    w.settle();
    w.advance(Deadlines().retry.most);
  }
  w.settle();
  CHECK(w.manager->find("rests") == nullptr);
  CHECK(w.manager->find("new") == nullptr);
  w.find("stops")->start(nullptr).wait(w.scope);
  CHECK(w.find("stops")->state() == WorkspaceState::RUNNING);
}

TEST_CASE("P28 a machine that a failed start cannot end is ended later, and keeps nothing") {
  TestWorld w;
  w.generation = rpc::GENERATION + 1;
  w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  auto workspace = w.find("demo");
  w.driver.holdStarts();
  auto starting = workspace->start(nullptr);
  CHECK_FALSE(starting.poll(w.scope));
  // The order of the failed start, and the first try after it.
  w.driver.failRemovals(2);
  w.driver.releaseStarts();
  starting.wait(w.scope);
  CHECK(workspace->state() == WorkspaceState::FAILED);
  CHECK(w.driver.running().size() == 1);
  SECTION("by itself") {
    w.advance(1 * kj::SECONDS);
    w.settle();
  }
  SECTION("by a bothyd that comes after") {
    w.restart();
    w.settle();
  }
  SECTION("before its disk is made larger") {
    auto resizing = workspace->resize(8192);
    CHECK(resizing.wait(w.scope).is<Workspace::Resized>());
  }
  CHECK(w.driver.running().size() == 0);
}

TEST_CASE("P28 a disk is not made larger while a machine that nobody could end has it") {
  TestWorld w;
  w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  auto workspace = w.find("demo");
  w.driver.failRemovals(1);
  auto resizing = workspace->resize(8192);
  CHECK_FALSE(resizing.poll(w.scope));
  CHECK(w.volumes.bytes(workspace->row().id) == 4096 * MIB);
  w.advance(1 * kj::SECONDS);
  CHECK(resizing.wait(w.scope).is<Workspace::Resized>());
}

TEST_CASE("a disk that grew though it took too long is as large as it is told") {
  TestWorld w;
  w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  auto workspace = w.find("demo");
  w.volumes.growsTooLate = true;
  CHECK(workspace->resize(8192).wait(w.scope).is<Workspace::Resized>());
  CHECK(workspace->row().diskMib == 8192);
  workspace->start(nullptr).wait(w.scope);
  CHECK(workspace->state() == WorkspaceState::RUNNING);
}

TEST_CASE("P57 a repeated request for a workspace that is being deleted makes it anew") {
  TestWorld w;
  auto first = w.manager->create(w.request("demo", false, "r"), nullptr).wait(w.scope);
  auto id = kj::str(first.get<WorkspaceManager::Created>().workspace->row().id);
  w.volumes.failuresToDestroy = 1;
  auto erasing = w.find("demo")->erase();
  CHECK_FALSE(erasing.poll(w.scope));
  auto again = w.manager->create(w.request("demo", false, "r"), nullptr);
  CHECK_FALSE(again.poll(w.scope));
  w.advance(1 * kj::SECONDS);
  auto outcome = again.wait(w.scope);
  auto& row = outcome.get<WorkspaceManager::Created>().workspace->row();
  CHECK(row.id != id);
  CHECK(w.find("demo")->state() == WorkspaceState::STOPPED);
}

TEST_CASE("P30 a start without its image says which one is missing") {
  TestWorld w;
  w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  w.images.isInstalled = false;
  auto started = w.find("demo")->start(nullptr).wait(w.scope);
  CHECK(failureOf(started).message == "the image base is not installed any more");
}

}  // namespace
}  // namespace bothy
