// What is told of a workspace while it lives.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "workspace/test-world.h"

namespace bothy {
namespace {

TEST_CASE("P58 each change of state is one event with its cause") {
  TestWorld w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  SECTION("turned off from within") {
    w.driver.end(w.driver.running()[0], VmEnd::POWERED_OFF);
    w.settle();
    CHECK(w.find("demo")->state() == WorkspaceState::STOPPED);
    CHECK(w.store->events(0, 100).back().cause == Cause::GUEST_POWERED_OFF);
  }
  SECTION("QEMU killed") {
    w.driver.end(w.driver.running()[0], VmEnd::EXITED);
    w.settle();
    CHECK(w.find("demo")->state() == WorkspaceState::FAILED);
    CHECK(w.store->events(0, 100).back().cause == Cause::VM_EXITED);
  }
  SECTION("the vsock device lost and back") {
    auto name = kj::mv(w.driver.running()[0]);
    w.driver.loseVsock(name);
    w.driver.restoreVsock(name);
    w.settle();
    auto events = w.store->events(0, 100);
    CHECK(events[events.size() - 2].cause == Cause::VSOCK_LOST);
    CHECK(events.back().cause == Cause::VSOCK_RESTORED);
    CHECK(events.back().after == WorkspaceState::RUNNING);
  }
  SECTION("the host's disk full and free again") {
    auto name = kj::mv(w.driver.running()[0]);
    w.driver.stall(name);
    w.settle();
    CHECK(w.find("demo")->isStalled());
    CHECK(w.store->events(0, 100).back().cause == Cause::DISK_FULL);
    w.restart();
    CHECK(w.find("demo")->isStalled());
    w.driver.goOn(name);
    w.settle();
    CHECK_FALSE(w.find("demo")->isStalled());
    CHECK(w.store->events(0, 100).back().cause == Cause::DISK_FREED);
    CHECK(w.store->events(0, 100).back().after == WorkspaceState::RUNNING);
  }
  auto events = w.store->events(0, 100);
  for (size_t i = 0; i < events.size(); i++) CHECK(events[i].number == i + 1);
  for (size_t i = 1; i < events.size(); i++) CHECK(events[i].before == events[i - 1].after);
}

TEST_CASE("P09 a creation that fails ends with its reason, and says whose it was") {
  TestWorld w;
  w.volumes.isFull = true;
  // A restart in the middle of it changes nothing.
  const bool isRestarted = GENERATE(false, true);
  if (isRestarted) w.volumes.failuresToDestroy = 1;
  auto request = w.request("demo");
  request.actor = kj::str("maker");
  auto creating = w.manager->create(kj::mv(request), nullptr);
  w.settle();
  if (isRestarted) {
    creating = nullptr;
    w.restart();
  }
  w.advance(1 * kj::SECONDS);
  w.settle();
  CHECK(w.manager->find("demo") == nullptr);
  auto events = w.store->events(0, 100);
  REQUIRE(events.size() >= 3);
  auto& failed = events[events.size() - 2];
  CHECK(failed.cause == Cause::START_FAILED);
  CHECK(failed.after == WorkspaceState::DELETING);
  CHECK(failed.detail == "the disk is full");
  CHECK(events.back().gone);
  CHECK(events.back().cause == Cause::RECOVERED);
  for (auto& event : events) CHECK(event.actor == "maker");
}

TEST_CASE("P09 P58 what expires again, as it could not be made anew, says whose start that was") {
  TestWorld w;
  w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  w.find("demo")->expire("sweeper").wait(w.scope);
  w.volumes.isFull = true;
  const auto before = w.store->events(0, 100).size();
  w.find("demo")->start(nullptr, "starter").wait(w.scope);
  w.settle();
  CHECK(w.find("demo")->state() == WorkspaceState::EXPIRED);
  auto events = w.store->events(before, 100);
  REQUIRE(events.size() == 3);
  CHECK(events[1].cause == Cause::START_FAILED);
  CHECK(events[2].cause == Cause::RECOVERED);
  for (auto& event : events) CHECK(event.actor == "starter");
}

TEST_CASE("P09 a vsock device that cannot be replaced is an event, and equal ones are counted") {
  TestWorld w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  auto name = kj::mv(w.driver.running()[0]);
  for (uint32_t i : {1, 2}) {
    w.driver.loseVsock(name);
    w.driver.giveUpVsock(name);
    w.settle();
    auto events = w.store->events(0, 100);
    CHECK(events.back().cause == Cause::VSOCK_NOT_RESTORED);
    CHECK(events.back().count == i);
    CHECK(events.back().after == WorkspaceState::RUNNING);
    w.driver.restoreVsock(name);
    w.settle();
  }
}

constexpr kj::StringPtr EVENTS =
    "starting by maker; running by maker; pausing by pauser; paused by pauser; resuming by waker; "
    "running by waker; starting by ; running by ; failed by ; starting by starter; "
    "running by starter; stopping by stopper; stopped by stopper; resizing by grower; "
    "stopped by grower; expiring by sweeper; expired by sweeper; deleting by eraser; "
    "deleting gone by eraser"_kj;

TEST_CASE(
    "P58 each event says who asked for it, from the beginning to the end, also after a restart") {
  TestWorld w;
  auto request = w.request("demo");
  request.actor = kj::str("maker");
  w.manager->create(kj::mv(request), nullptr).wait(w.scope);
  auto demo = w.find("demo");
  demo->pause("pauser").wait(w.scope);
  demo->resume(nullptr, "waker").wait(w.scope);
  w.driver.end(demo->row().id, VmEnd::REBOOTED);
  w.settle();
  w.driver.end(demo->row().id, VmEnd::CRASHED);
  w.settle();
  demo->start(nullptr, "starter").wait(w.scope);
  demo->stop(0, "stopper").wait(w.scope);
  demo->resize(8192, nullptr, "grower").wait(w.scope);
  TierWish wish;
  wish.isApplied = true;
  w.manager->changeTier("demo", "pro", wish, "seller").wait(w.scope);
  demo->expire("sweeper").wait(w.scope);
  demo = nullptr;
  // Of one that a killed bothyd has left.
  w.volumes.failuresToDestroy = 1000;
  auto erasing = w.find("demo")->erase("eraser");
  w.settle();
  erasing = nullptr;
  w.volumes.failuresToDestroy = 0;
  w.restart();
  w.advance(120 * kj::SECONDS);
  w.settle();
  kj::Vector<kj::String> told;
  for (auto& event : w.store->events(0, 100)) {
    if (event.isNotice()) continue;
    auto text = kj::str(event.after, event.gone ? " gone" : "", " by ", event.actor);
    told.add(kj::mv(text));
  }
  CHECK(kj::strArray(told, "; ") == EVENTS);
}

}  // namespace
}  // namespace bothy
