// A stop that comes while the workspace starts.

#include <catch2/catch_test_macros.hpp>

#include "workspace/test-world.h"

namespace bothy {
namespace {

StopKind kindOf(const Workspace::StopOutcome& outcome) {
  REQUIRE(outcome.is<StopKind>());
  return outcome.get<StopKind>();
}

bool wasStopped(const Workspace::StartOutcome& outcome) {
  return outcome.is<Superseded>() && outcome.get<Superseded>().by == Wish::STOP;
}

TEST_CASE("P45 a stop during the boot ends it, and whoever waits for the start is told") {
  TestWorld w;
  w.agentAnswers = false;
  auto creating = w.manager->create(w.request("demo"), nullptr);
  w.settle();
  auto workspace = w.find("demo");
  REQUIRE(workspace->state() == WorkspaceState::STARTING);
  auto joined = workspace->start(nullptr);
  w.settle();

  CHECK(kindOf(workspace->stop(30000).wait(w.scope)) == StopKind::FORCED);
  CHECK(workspace->state() == WorkspaceState::STOPPED);
  CHECK(w.driver.running().size() == 0);
  CHECK(wasStopped(joined.wait(w.scope)));
  auto outcome = creating.wait(w.scope);
  REQUIRE(outcome.is<WorkspaceManager::Stopped>());
  CHECK(outcome.get<WorkspaceManager::Stopped>().workspace->row().name == "demo");

  w.agentAnswers = true;
  workspace->start(nullptr).wait(w.scope);
  CHECK(workspace->state() == WorkspaceState::RUNNING);
}

TEST_CASE("P45 a stop before there is a machine says that there was none") {
  TestWorld w;
  w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  auto workspace = w.find("demo");
  w.driver.holdStarts();
  auto starting = workspace->start(nullptr);
  SECTION("the machine is being made") {
    w.settle();
    CHECK(kindOf(workspace->stop(0).wait(w.scope)) == StopKind::FORCED);
  }
  SECTION("the disk is being examined") {
    CHECK(kindOf(workspace->stop(0).wait(w.scope)) == StopKind::ALREADY);
  }
  CHECK(wasStopped(starting.wait(w.scope)));
  w.driver.releaseStarts();
  w.settle();
  CHECK(w.driver.running().size() == 0);
  CHECK(workspace->state() == WorkspaceState::STOPPED);
}

TEST_CASE("P45 stops that come while a start is being stopped join the first") {
  TestWorld w;
  w.agentAnswers = false;
  auto creating = w.manager->create(w.request("demo"), nullptr);
  w.settle();
  w.driver.failRemovals(3);
  auto workspace = w.find("demo");
  auto first = workspace->stop(0), second = workspace->stop(0);
  w.settle();
  CHECK(workspace->state() == WorkspaceState::STOPPING);
  w.advance(1 * kj::SECONDS);
  w.settle();
  w.advance(2 * kj::SECONDS);
  w.settle();
  w.advance(4 * kj::SECONDS);
  CHECK(kindOf(first.wait(w.scope)) == StopKind::FORCED);
  CHECK(kindOf(second.wait(w.scope)) == StopKind::FORCED);
}

TEST_CASE("P28 P45 a delete comes before the stop of a start") {
  TestWorld w;
  w.agentAnswers = false;
  auto creating = w.manager->create(w.request("demo"), nullptr);
  w.settle();
  w.driver.failRemovals(1);
  auto stopping = w.find("demo")->stop(0);
  w.settle();
  w.find("demo")->erase().wait(w.scope);
  auto outcome = stopping.wait(w.scope);
  REQUIRE(outcome.is<Superseded>());
  CHECK(outcome.get<Superseded>().by == Wish::DELETE);
  CHECK(w.manager->find("demo") == nullptr);
}

}  // namespace
}  // namespace bothy
