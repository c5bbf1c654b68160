// Deleting a workspace, whatever it is doing.

#include <catch2/catch_test_macros.hpp>

#include "workspace/test-world.h"

namespace bothy {
namespace {

TEST_CASE("P28 a workspace is deleted whatever it is doing, and nothing is left") {
  TestWorld w;
  SECTION("running") {
    w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  }
  SECTION("stopped") {
    w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  }
  SECTION("failed") {
    w.driver.failStarts(KJ_EXCEPTION(FAILED, "no"));
    w.manager->create(w.request("demo"), nullptr).wait(w.scope);
    CHECK(w.find("demo")->state() == WorkspaceState::FAILED);
  }
  kj::Promise<void> underWay = kj::READY_NOW;
  SECTION("starting") {
    w.driver.holdStarts();
    underWay = w.manager->create(w.request("demo"), nullptr).ignoreResult();
    CHECK_FALSE(underWay.poll(w.scope));
  }
  SECTION("booting, with an agent that never answers") {
    w.agentAnswers = false;
    underWay = w.manager->create(w.request("demo"), nullptr).ignoreResult();
    CHECK_FALSE(underWay.poll(w.scope));
    CHECK(w.find("demo")->state() == WorkspaceState::STARTING);
  }
  SECTION("stopping") {
    w.manager->create(w.request("demo"), nullptr).wait(w.scope);
    w.powersOff = false;
    underWay = w.find("demo")->stop(1000).ignoreResult();
    CHECK_FALSE(underWay.poll(w.scope));
    CHECK(w.find("demo")->state() == WorkspaceState::STOPPING);
  }
  SECTION("creating") {
    w.refusing.writesToTake = 3;
    w.refusing.writesToRefuse = 1000;
    underWay = w.manager->create(w.request("demo", false), nullptr).ignoreResult();
    CHECK_FALSE(underWay.poll(w.scope));
    CHECK(w.find("demo")->state() == WorkspaceState::CREATING);
    w.refusing.writesToRefuse = 0;
  }
  SECTION("resizing") {
    w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
    w.driver.failRemovals(1000);
    underWay = w.find("demo")->resize(8192).ignoreResult();
    CHECK_FALSE(underWay.poll(w.scope));
    CHECK(w.find("demo")->state() == WorkspaceState::RESIZING);
    w.driver.failRemovals(0);
  }
  auto erased = w.find("demo")->erase();
  // A step that is tried again makes way at its next try.
  if (!erased.poll(w.scope)) w.advance(1 * kj::SECONDS);
  erased.wait(w.scope);
  underWay.wait(w.scope);
  CHECK(w.manager->find("demo") == nullptr);
  CHECK(w.driver.running().size() == 0);
  CHECK(w.volumes.count() == 0);
  CHECK(w.keys.count() == 0);
  CHECK(w.store->workspaces().size() == 0);
  auto events = w.store->events(0, 100);
  CHECK(events.back().gone);
  // The name is free again.
  w.driver.holdStarts();
  w.driver.releaseStarts();
  w.agentAnswers = true;
  CHECK(
      w.manager->create(w.request("demo"), nullptr).wait(w.scope).is<WorkspaceManager::Created>());
}

TEST_CASE("P28 a delete that is refused is tried again until it is done") {
  TestWorld w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  w.volumes.failuresToDestroy = 2;
  auto erased = w.find("demo")->erase();
  CHECK_FALSE(erased.poll(w.scope));
  w.advance(1 * kj::SECONDS);
  CHECK_FALSE(erased.poll(w.scope));
  w.advance(2 * kj::SECONDS);
  erased.wait(w.scope);
  CHECK(w.manager->find("demo") == nullptr);
}

}  // namespace
}  // namespace bothy
