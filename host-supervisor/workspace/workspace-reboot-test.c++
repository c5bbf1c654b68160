// Guests that reboot.

#include <catch2/catch_test_macros.hpp>

#include "workspace/test-world.h"

namespace bothy {
namespace {

// A running workspace `demo`.
struct Rebooting {
  TestWorld w;
  kj::String id;

  Rebooting() {
    w.manager->create(w.request("demo"), nullptr).wait(w.scope);
    id = kj::str(w.find("demo")->row().id);
    w.advance(Deadlines().steady);
  }
  kj::Own<Workspace> demo() { return w.find("demo"); }
  WorkspaceState state() { return demo()->state(); }
  void reboot() {
    w.driver.end(id, VmEnd::REBOOTED);
    w.settle();
  }
  kj::Array<EventRecord> eventsSince(uint64_t number) { return w.store->events(number, 100); }
};

TEST_CASE("a guest that reboots runs again by itself, the same machine with a new boot") {
  Rebooting r;
  auto before = r.demo()->row().clone();
  auto uid = r.w.lease("demo").uid;
  auto secret = kj::heapArray<kj::byte>(r.w.driver.spec(r.id).secret);
  auto last = r.w.store->lastEvent();
  auto held = KJ_ASSERT_NONNULL(r.demo()->machine());
  r.reboot();
  CHECK(r.state() == WorkspaceState::RUNNING);
  CHECK(r.w.driver.startCount() == 2);
  auto& spec = r.w.driver.spec(r.id);
  CHECK((spec.secret.asPtr() != secret.asPtr()));
  CHECK(spec.uid == uid);
  CHECK(spec.cpus == before.cpus);
  CHECK(r.w.store->state().machines[0].secret.asPtr() == spec.secret.asPtr());

  auto events = r.eventsSince(last);
  REQUIRE(events.size() == 2);
  CHECK(events[0].after == WorkspaceState::STARTING);
  CHECK(events[1].after == WorkspaceState::RUNNING);
  for (auto& event : events) CHECK(event.cause == Cause::GUEST_REBOOTED);
  CHECK_THROWS_AS(held->control().wait(r.w.scope), kj::Exception);
}

TEST_CASE("a guest that reboots again and again waits longer each time, up to a minute") {
  Rebooting r;
  r.reboot();
  for (auto pause : {1, 2, 4, 8, 16, 32, 60, 60, 60}) {
    r.reboot();
    CHECK(r.state() == WorkspaceState::STARTING);
    r.w.advance(pause * kj::SECONDS - 1 * kj::MILLISECONDS);
    r.w.settle();
    CHECK(r.w.driver.running().size() == 0);
    r.w.advance(1 * kj::MILLISECONDS);
    r.w.settle();
    CHECK(r.state() == WorkspaceState::RUNNING);
  }
  r.w.advance(Deadlines().steady);
  r.reboot();
  CHECK(r.state() == WorkspaceState::RUNNING);
}

TEST_CASE("P45 a guest that waits to reboot can be stopped, deleted, and started at once") {
  Rebooting r;
  r.reboot();
  r.reboot();
  REQUIRE(r.state() == WorkspaceState::STARTING);
  SECTION("stopped") {
    auto outcome = r.demo()->stop(30000).wait(r.w.scope);
    CHECK(outcome.get<StopKind>() == StopKind::ALREADY);
    r.w.advance(1 * kj::HOURS);
    r.w.settle();
    CHECK(r.state() == WorkspaceState::STOPPED);
    CHECK(r.w.driver.running().size() == 0);
  }
  SECTION("deleted") {
    r.demo()->erase().wait(r.w.scope);
    CHECK(r.w.manager->find("demo") == nullptr);
  }
  SECTION("joined by a start") {
    auto starting = r.demo()->start(nullptr);
    r.w.settle();
    r.w.advance(1 * kj::SECONDS);
    CHECK(starting.wait(r.w.scope).is<kj::Own<StartReport>>());
    CHECK(r.state() == WorkspaceState::RUNNING);
  }
}

TEST_CASE("P41 a reboot goes on when bothyd is started anew in the middle of it") {
  Rebooting r;
  r.reboot();
  r.reboot();
  REQUIRE(r.state() == WorkspaceState::STARTING);
  r.w.restart();
  r.w.settle();
  CHECK(r.state() == WorkspaceState::RUNNING);
  CHECK(r.w.store->state().operations.size() == 0);
}

TEST_CASE("P41 a guest that rebooted while no bothyd ran is stopped: nobody saw why it ended") {
  Rebooting r;
  r.w.manager = nullptr;
  r.w.driver.end(r.id, VmEnd::REBOOTED);
  r.w.restart();
  CHECK(r.state() == WorkspaceState::STOPPED);
}

TEST_CASE("P58 a reboot that the database refuses goes on when it is stored") {
  Rebooting r;
  r.w.refusing.writesToRefuse = 3;
  r.reboot();
  CHECK(r.state() == WorkspaceState::STARTING);
  CHECK(r.w.driver.running().size() == 0);
  for (int i = 0; i < 3; i++) {
    r.w.advance(4 * kj::SECONDS);
    r.w.settle();
  }
  CHECK(r.state() == WorkspaceState::RUNNING);
}

TEST_CASE(
    "P45 a stop that finds the guest about to reboot is in order, unless its kernel panicked") {
  for (bool panics : {false, true}) {
    Rebooting r;
    r.w.powersOff = false;
    auto stopping = r.demo()->stop(30000);
    r.w.settle();
    if (panics) r.w.driver.console = kj::str("Kernel panic - not syncing: broken\n");
    r.reboot();
    CHECK(stopping.wait(r.w.scope).get<StopKind>() ==
          (panics ? StopKind::FORCED : StopKind::ORDERLY));
    CHECK(r.state() == WorkspaceState::STOPPED);
    CHECK(r.w.driver.running().size() == 0);
  }
}

TEST_CASE("P12 a kernel that panics and resets its machine has failed, and does not boot again") {
  Rebooting r;
  // Its file gets that later.
  r.w.driver.console = kj::str("Kernel panic - not syncing: sysrq triggered crash\n");
  r.reboot();
  CHECK(r.state() == WorkspaceState::FAILED);
  CHECK(r.demo()->row().failure == "the machine's kernel panicked");
}

TEST_CASE("P30 a guest that does not come up after its reboot has failed") {
  Rebooting r;
  r.w.agentAnswers = false;
  r.reboot();
  CHECK(r.state() == WorkspaceState::STARTING);
  SECTION("its agent does not answer") {
    for (int i = 0; i < 100; i++) {
      r.w.advance(2 * kj::SECONDS);
      r.w.settle();
    }
  }
  SECTION("it reboots before its agent answers") {
    r.reboot();
  }
  CHECK(r.state() == WorkspaceState::FAILED);
  CHECK(r.w.driver.running().size() == 0);
}

}  // namespace
}  // namespace bothy
