// What is metered of machines and workspaces whose end comes between two looks.

#include <catch2/catch_test_macros.hpp>

#include "metering/test-host.h"

namespace bothy {
namespace {

constexpr int64_t SECOND = 1000, HOUR = 3600 * SECOND;

TEST_CASE("what a machine took between the last look and its end is booked") {
  TestHost host;
  auto& demo = host.create("demo", "id-demo");
  host.run(demo);
  host.advance(6 * kj::SECONDS);
  host.compute(4'000'000);
  host.advance(1 * kj::SECONDS);
  SECTION("where it is stopped") {
    host.stop(demo);
    host.advance(1 * kj::SECONDS);
    host.run(demo);
    host.compute(500'000);
    host.advance(10 * kj::SECONDS);
    CHECK(host.sumsNow("id-demo").cpuMicros == 4'500'000);
  }
  SECTION("where it is started and stopped again and again between two looks") {
    for (int i = 0; i < 3; i++) {
      host.stop(demo);
      host.run(demo);
      host.compute(1'000'000);
    }
    host.stop(demo);
    host.advance(10 * kj::SECONDS);
    CHECK(host.sumsNow("id-demo").cpuMicros == 7'000'000);
  }
  SECTION("where it reboots") {
    host.tell(demo, WorkspaceState::STARTING, Cause::GUEST_REBOOTED);
    host.end(demo);
    demo.qemu = ++host.lastQemu;
    demo.cpuMicros = 500'000;
    host.advance(10 * kj::SECONDS);
    host.tell(demo, WorkspaceState::RUNNING, Cause::GUEST_REBOOTED);
    host.advance(10 * kj::SECONDS);
    CHECK(host.sumsNow("id-demo").cpuMicros == 4'500'000);
  }
  SECTION("where the workspace is deleted") {
    host.stop(demo);
    host.tell(demo, WorkspaceState::DELETING, Cause::REQUEST, true);
    host.advance(10 * kj::SECONDS);
    CHECK(host.sumsOf("id-demo").cpuMicros == 4'000'000);
  }
  SECTION("where it was paused") {
    host.tell(demo, WorkspaceState::PAUSED);
    host.looksToFail = 1;
    host.advance(10 * kj::SECONDS);
    host.end(demo);
    host.tell(demo, WorkspaceState::FAILED, Cause::VM_EXITED);
    host.advance(10 * kj::SECONDS);
    CHECK(host.sumsNow("id-demo").cpuMicros == 4'000'000);
  }
  SECTION("where nobody could look when its end was told") {
    host.looksToFail = 2;
    host.stop(demo);
    host.advance(8 * kj::SECONDS);
    CHECK(host.sumsOf("id-demo").cpuMicros == 4'000'000);
  }
  SECTION("where its end is told late") {
    auto late = host.happen(demo, WorkspaceState::FAILED, Cause::VM_EXITED);
    host.end(demo);
    host.advance(20 * kj::SECONDS);
    host.tell(kj::mv(late));
    host.advance(10 * kj::SECONDS);
    CHECK(host.sumsNow("id-demo").cpuMicros == 4'000'000);
  }
  for (bool isIn : {false, true}) {
    DYNAMIC_SECTION("where the database refuses it, and it is in " << isIn) {
      host.usage.changesToFail = 2;
      host.usage.failedAreIn = isIn;
      host.stop(demo);
      host.advance(1 * kj::SECONDS);
      host.run(demo);
      host.compute(500'000);
      host.advance(20 * kj::SECONDS);
      CHECK(host.sumsNow("id-demo").cpuMicros == 4'500'000);
    }
  }
}

TEST_CASE("a start that fails has taken what it took") {
  TestHost host;
  auto& demo = host.create("demo", "id-demo");
  host.tell(demo, WorkspaceState::STARTING);
  demo.qemu = ++host.lastQemu;
  demo.cpuMicros = 3'000'000;
  host.advance(20 * kj::SECONDS);
  host.end(demo);
  host.advance(20 * kj::SECONDS);
  host.tell(demo, WorkspaceState::FAILED);
  host.advance(10 * kj::SECONDS);
  CHECK(host.sumsNow("id-demo").cpuMicros == 3'000'000);
}

TEST_CASE("a workspace that is there for two seconds between two looks has a user and figures") {
  TestHost host;
  host.advance(11 * kj::SECONDS);
  auto& demo = host.create("demo", "id-demo");
  demo.user = kj::str("somebody");
  host.run(demo);
  host.advance(2 * kj::SECONDS);
  host.stop(demo);
  host.tell(demo, WorkspaceState::DELETING, Cause::REQUEST, true);
  host.advance(10 * kj::SECONDS);
  const auto sums = host.sumsOf("id-demo");
  CHECK((sums.runningMillis == 2 * SECOND && sums.memoryMibMillis == 2 * SECOND * 512));
  CHECK(sums.diskMibMillis == 2 * SECOND * 2048);
  for (auto& record : host.usage.closed) CHECK(record.value.user == "somebody");
}

TEST_CASE("a host that is off takes nothing, whatever a workspace was about to become") {
  for (auto state : {WorkspaceState::STOPPING, WorkspaceState::PAUSING, WorkspaceState::PAUSED,
                     WorkspaceState::RUNNING, WorkspaceState::HIBERNATING}) {
    TestHost host;
    auto& demo = host.create("demo", "id-demo");
    host.run(demo);
    host.advance(12 * kj::SECONDS);
    host.tell(demo, state);
    host.advance(3 * kj::SECONDS);
    host.kill();
    host.advance(10 * kj::HOURS);
    host.boot++;
    host.bootedAtMillis = host.virtualMillis();
    demo.qemu = 0;
    host.advance(20 * kj::SECONDS);
    host.begin();
    // It is looked at before it is known what became of it.
    host.looksToFail = 1;
    host.advance(20 * kj::SECONDS);
    host.tell(demo, WorkspaceState::STOPPED);
    host.advance(10 * kj::SECONDS);
    const auto sums = host.sumsNow("id-demo");
    CHECK(sums.runningMillis + sums.pausedMillis == 15 * SECOND);
    CHECK(sums.stoppedMillis == 10 * HOUR + 50 * SECOND);
  }
}

TEST_CASE("a machine that nobody can reach is booked when it is seen again, or was until it was") {
  TestHost host;
  auto& demo = host.create("demo", "id-demo");
  host.run(demo);
  host.advance(10 * kj::SECONDS);
  demo.isUnreachable = true;
  host.advance(30 * kj::SECONDS);
  CHECK(host.sumsNow("id-demo").runningMillis == 10 * SECOND);
  SECTION("it runs") {
    demo.isUnreachable = false;
    host.advance(10 * kj::SECONDS);
    CHECK(host.sumsNow("id-demo").runningMillis == 50 * SECOND);
  }
  SECTION("it has ended") {
    demo.qemu = 0;
    host.tell(demo, WorkspaceState::STOPPED, Cause::RECOVERED);
    host.advance(10 * kj::SECONDS);
    const auto sums = host.sumsNow("id-demo");
    CHECK((sums.runningMillis == 10 * SECOND && sums.stoppedMillis == 40 * SECOND));
  }
}

}  // namespace
}  // namespace bothy
