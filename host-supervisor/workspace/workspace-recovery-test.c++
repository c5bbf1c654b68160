#include <string.h>
#include <catch2/catch_test_macros.hpp>

#include "workspace/test-world.h"

namespace bothy {
namespace {

TEST_CASE("P28 a workspace that cannot be removed does not keep the others from serving") {
  TestWorld w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  w.manager->create(w.request("half", false), nullptr).wait(w.scope);
  w.leave("half", OperationKind::DELETE, DeleteOperation::FIRST_STEP);
  w.volumes.failuresToDestroy = 1;
  w.restart();
  CHECK(w.find("demo")->state() == WorkspaceState::RUNNING);
  w.settle();
  w.advance(1 * kj::SECONDS);
  w.settle();
  CHECK(w.manager->find("half") == nullptr);
  CHECK(w.volumes.count() == 1);
  CHECK(w.keys.count() == 1);
}

TEST_CASE("P41 a workspace that cannot be recovered has failed, and keeps no other from serving") {
  TestWorld w;
  for (auto name : {"one", "two"}) w.manager->create(w.request(name), nullptr).wait(w.scope);
  w.driver.watchesToRefuse = 1;
  w.restart();
  kj::uint failed = 0;
  for (auto name : {"one", "two"}) {
    auto workspace = w.find(name);
    if (workspace->state() == WorkspaceState::RUNNING) continue;
    CHECK(workspace->state() == WorkspaceState::FAILED);
    CHECK(workspace->row().failure.startsWith("it cannot be recovered: "));
    CHECK(strstr(workspace->row().failure.cStr(), "not watched") != nullptr);
    ++failed;
  }
  CHECK(failed == 1);
  // Nothing of it was touched.
  CHECK(w.driver.running().size() == 2);
}

// A running workspace `demo` whose machine the next bothyd cannot take over.
struct Unreachable {
  TestWorld w;
  kj::String id;

  Unreachable() {
    w.manager->create(w.request("demo"), nullptr).wait(w.scope);
    id = kj::str(w.find("demo")->row().id);
    w.driver.failAdoptions(KJ_EXCEPTION(OVERLOADED, "it does not talk"));
    w.restart();
    w.settle();
  }
  // Until the next try to take it over.
  void tryAgain() {
    w.advance(Deadlines().retry.most);
    w.settle();
  }
  Cause lastCause() {
    auto last = w.store->lastEvent();
    return w.store->events(last - 1, 1)[0].cause;
  }
};

TEST_CASE("P41 a machine that cannot be taken over goes on, and is taken over when it can be") {
  Unreachable u;
  auto workspace = u.w.find("demo");
  CHECK(workspace->state() == WorkspaceState::RUNNING);
  CHECK(workspace->unreachable() == "it does not talk");
  CHECK(workspace->machine() == nullptr);
  CHECK(u.lastCause() == Cause::UNREACHABLE);
  for (int i = 0; i < 100; i++) u.tryAgain();
  CHECK(u.w.driver.isRunning(u.id));
  CHECK(workspace->state() == WorkspaceState::RUNNING);

  u.w.driver.allowAdoptions();
  u.tryAgain();
  CHECK(workspace->unreachable() == "");
  CHECK(workspace->machine() != nullptr);
  CHECK(u.lastCause() == Cause::ADOPTED);
  CHECK(workspace->stop(0).wait(u.w.scope).get<StopKind>() == StopKind::ORDERLY);
}

TEST_CASE("P41 of a machine that cannot be taken over only the end of its QEMU is an end") {
  Unreachable u;
  u.w.driver.end(u.id, VmEnd::POWERED_OFF);
  u.tryAgain();
  auto workspace = u.w.find("demo");
  CHECK(workspace->state() == WorkspaceState::STOPPED);
  CHECK(workspace->unreachable() == "");
  CHECK(u.lastCause() == Cause::RECOVERED);
}

TEST_CASE("P41 P45 a machine that cannot be taken over is stopped by force, and starts again") {
  Unreachable u;
  auto workspace = u.w.find("demo");
  CHECK(workspace->stop(30000).wait(u.w.scope).get<StopKind>() == StopKind::FORCED);
  CHECK(u.w.driver.running().size() == 0);
  CHECK(workspace->unreachable() == "");
  u.w.driver.allowAdoptions();
  u.tryAgain();
  CHECK(workspace->state() == WorkspaceState::STOPPED);
  workspace->start(nullptr).wait(u.w.scope);
  CHECK(workspace->state() == WorkspaceState::RUNNING);
}

TEST_CASE("P28 P41 a machine that cannot be taken over is deleted when a client asks") {
  Unreachable u;
  u.w.find("demo")->erase().wait(u.w.scope);
  CHECK(u.w.driver.running().size() == 0);
  CHECK(u.w.volumes.count() == 0);
}

TEST_CASE("P41 a start whose machine cannot be taken over goes on when it can be, or fails") {
  TestWorld w;
  w.agentAnswers = false;
  auto creating = w.manager->create(w.request("demo"), nullptr);
  w.settle();
  CHECK(w.find("demo")->state() == WorkspaceState::STARTING);
  creating = nullptr;
  w.driver.failAdoptions(KJ_EXCEPTION(FAILED, "it does not talk"));
  w.restart();
  w.settle();
  auto id = kj::str(w.find("demo")->row().id);
  CHECK(w.find("demo")->state() == WorkspaceState::STARTING);
  CHECK(w.driver.isRunning(id));

  SECTION("it can be") {
    w.agentAnswers = true;
    w.driver.allowAdoptions();
    w.advance(2 * kj::SECONDS);
    w.settle();
    CHECK(w.find("demo")->state() == WorkspaceState::RUNNING);
  }
  SECTION("it cannot") {
    for (int i = 0; i < 10; i++) {
      w.advance(Deadlines().retry.most);
      w.settle();
    }
    CHECK(w.find("demo")->state() == WorkspaceState::FAILED);
    CHECK(w.find("demo")->row().failure == "it does not talk");
    CHECK(w.driver.running().size() == 0);
  }
}

TEST_CASE("E02 a delete destroys the key before anything else") {
  TestWorld w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  w.volumes.failuresToDestroy = 1;
  auto erasing = w.find("demo")->erase();
  CHECK_FALSE(erasing.poll(w.scope));
  CHECK(w.volumes.count() == 1);
  CHECK(w.keys.count() == 0);
}

TEST_CASE("E01 every workspace has a key of its own, and its disk opens with no other") {
  TestWorld w;
  w.manager->create(w.request("one", false), nullptr).wait(w.scope);
  w.manager->create(w.request("two", false), nullptr).wait(w.scope);
  auto one = kj::str(w.find("one")->row().id), two = kj::str(w.find("two")->row().id);
  auto key = w.keys.open(one).wait(w.scope);
  CHECK(w.volumes.opensWith(one, key));
  CHECK_FALSE(w.volumes.opensWith(two, key));
  w.find("one")->start(nullptr).wait(w.scope);
  CHECK(KJ_ASSERT_NONNULL(w.driver.spec(one).diskKey).bytes() == key.bytes());
}

}  // namespace
}  // namespace bothy
