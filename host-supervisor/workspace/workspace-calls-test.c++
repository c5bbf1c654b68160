// Calls that wait for operations.

#include <string.h>

#include <catch2/catch_test_macros.hpp>

#include "workspace/test-world.h"

namespace bothy {
namespace {

// The time that a call waits.
template <typename T>
void passCall(TestWorld& w, kj::Promise<T>& call) {
  for (auto passed = 0 * kj::SECONDS; passed < Deadlines().call; passed += 1 * kj::SECONDS) {
    CHECK_FALSE(call.poll(w.scope));
    w.advance(1 * kj::SECONDS);
  }
}

TEST_CASE("P12 a call ends after a while, and what it asked for goes on") {
  TestWorld w;
  w.manager->create(w.request("demo", true), nullptr).wait(w.scope);
  SECTION("a stop") {
    w.powersOff = false;
    w.driver.failRemovals(1000);
    auto stopping = w.find("demo")->stop(1000);
    for (int i = 0; i < 91; i++) {
      CHECK_FALSE(stopping.poll(w.scope));
      w.advance(1 * kj::SECONDS);
    }
    auto outcome = stopping.wait(w.scope);
    REQUIRE(outcome.is<Underway>());
    CHECK(outcome.get<Underway>().state == WorkspaceState::STOPPING);
    CHECK(outcome.get<Underway>().why.size() > 0);
    auto again = w.find("demo")->stop(0);
    CHECK_FALSE(again.poll(w.scope));
    w.driver.failRemovals(0);
    w.advance(60 * kj::SECONDS);
    CHECK(again.wait(w.scope).is<StopKind>());
  }
  SECTION("a stop whose end is not stored") {
    w.refusing.writesToTake = 2;
    w.refusing.writesToRefuse = 1000;
    auto stopping = w.find("demo")->stop(0);
    for (int i = 0; i < 91; i++) {
      w.settle();
      w.advance(1 * kj::SECONDS);
    }
    auto outcome = stopping.wait(w.scope);
    REQUIRE(outcome.is<Underway>());
    CHECK(strstr(outcome.get<Underway>().why.cStr(), "database is locked") != nullptr);
    CHECK(w.driver.running().size() == 0);
    w.refusing.writesToRefuse = 0;
  }
  SECTION("a delete") {
    w.volumes.failuresToDestroy = 1000;
    auto erasing = w.find("demo")->erase();
    for (int i = 0; i < 91; i++) {
      w.settle();
      w.advance(1 * kj::SECONDS);
    }
    auto outcome = erasing.wait(w.scope);
    REQUIRE(outcome.is<Underway>());
    CHECK(outcome.get<Underway>().state == WorkspaceState::DELETING);
    w.volumes.failuresToDestroy = 0;
    w.advance(60 * kj::SECONDS);
    w.settle();
    CHECK(w.manager->find("demo") == nullptr);
  }
  SECTION("a resize") {
    w.find("demo")->stop(0).wait(w.scope);
    w.driver.failRemovals(1000);
    auto resizing = w.find("demo")->resize(8192);
    passCall(w, resizing);
    auto outcome = resizing.wait(w.scope);
    REQUIRE(outcome.is<Underway>());
    CHECK(outcome.get<Underway>().state == WorkspaceState::RESIZING);
    CHECK(outcome.get<Underway>().why.size() > 0);
    auto again = w.find("demo")->resize(8192);
    CHECK_FALSE(again.poll(w.scope));
    w.driver.failRemovals(0);
    w.advance(60 * kj::SECONDS);
    CHECK(again.wait(w.scope).is<Workspace::Resized>());
    CHECK(w.find("demo")->row().diskMib == 8192);
  }
}

TEST_CASE("P12 a call ends a while after its start has, though the store refuses that end") {
  TestWorld w;
  w.agentAnswers = false;
  auto refuseEnd = [&w]() {
    w.settle();
    REQUIRE(w.store->state().operations[0].step == "agent");
    w.refusing.writesToRefuse = 1000;
    w.agentAnswers = true;
    w.advance(2 * kj::SECONDS);
    w.settle();
  };
  auto check = [](const Underway& underway) {
    CHECK(underway.state == WorkspaceState::STARTING);
    CHECK(strstr(underway.why.cStr(), "database is locked") != nullptr);
  };
  SECTION("a start") {
    w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
    auto starting = w.find("demo")->start(nullptr);
    refuseEnd();
    passCall(w, starting);
    check(starting.wait(w.scope).get<Underway>());
    // Who asks again waits for the same.
    auto again = w.find("demo")->start(nullptr);
    w.refusing.writesToRefuse = 0;
    w.advance(60 * kj::SECONDS);
    CHECK(again.wait(w.scope).is<kj::Own<StartReport>>());
  }
  SECTION("a creation with a start") {
    auto creating = w.manager->create(w.request("demo", true, "r"), nullptr);
    refuseEnd();
    passCall(w, creating);
    check(creating.wait(w.scope).get<Underway>());
    auto again = w.manager->create(w.request("demo", true, "r"), nullptr);
    w.refusing.writesToRefuse = 0;
    w.advance(60 * kj::SECONDS);
    CHECK(again.wait(w.scope).is<WorkspaceManager::Created>());
  }
  CHECK(w.find("demo")->state() == WorkspaceState::RUNNING);
}

TEST_CASE("P12 a call ends a while after its creation has, though the store refuses that end") {
  TestWorld w;
  w.refusing.writesToTake = 3;
  w.refusing.writesToRefuse = 1000;
  auto creating = w.manager->create(w.request("demo", false), nullptr);
  w.settle();
  REQUIRE(w.volumes.count() == 1);
  passCall(w, creating);
  CHECK(creating.wait(w.scope).get<Underway>().state == WorkspaceState::CREATING);
  w.refusing.writesToRefuse = 0;
  w.advance(60 * kj::SECONDS);
  w.settle();
  CHECK(w.find("demo")->state() == WorkspaceState::STOPPED);
}

}  // namespace
}  // namespace bothy
