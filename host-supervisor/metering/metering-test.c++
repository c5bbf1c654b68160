#include "metering/metering.h"

#include <catch2/catch_test_macros.hpp>

#include "metering/test-host.h"

namespace bothy {
namespace {

constexpr int64_t SECOND = 1000, HOUR = 3600 * SECOND;

TEST_CASE("P27 a workspace is metered as what it was, and a pause ends what running takes") {
  TestHost host;
  auto& demo = host.create("demo", "id-demo");
  host.advance(2 * kj::SECONDS);
  host.run(demo);
  host.advance(20 * kj::SECONDS);
  host.compute(7'000'000);
  host.tell(demo, WorkspaceState::PAUSING);
  host.tell(demo, WorkspaceState::PAUSED);
  host.advance(100 * kj::SECONDS);
  auto sums = host.sumsNow("id-demo");
  CHECK((sums.stoppedMillis == 2 * SECOND && sums.runningMillis == 20 * SECOND));
  CHECK((sums.pausedMillis == 100 * SECOND && sums.cpuMicros == 7'000'000));
  CHECK(sums.memoryMibMillis == 120 * SECOND * 512);
  CHECK(sums.diskMibMillis == 122 * SECOND * 2048);

  host.tell(demo, WorkspaceState::RESUMING);
  host.advance(1 * kj::SECONDS);
  host.tell(demo, WorkspaceState::RUNNING);
  host.compute(1'000'000);
  host.advance(9 * kj::SECONDS);
  host.stop(demo);
  host.advance(10 * kj::SECONDS);
  sums = host.sumsNow("id-demo");
  CHECK((sums.stoppedMillis == 12 * SECOND && sums.runningMillis == 29 * SECOND));
  CHECK((sums.pausedMillis == 101 * SECOND && sums.cpuMicros == 8'000'000));
}

TEST_CASE("what is not booked when bothyd is killed is booked by the next, once") {
  TestHost host;
  auto& demo = host.create("demo", "id-demo");
  host.run(demo);
  host.advance(12 * kj::SECONDS);
  host.compute(3'000'000);
  host.kill();
  SECTION("where the machine goes on") {
    host.advance(30 * kj::SECONDS);
    host.compute(2'000'000);
    host.tell(demo, WorkspaceState::RUNNING, Cause::ADOPTED);
    host.begin();
    host.advance(1 * kj::SECONDS);
    auto sums = host.sumsNow("id-demo");
    CHECK((sums.runningMillis == 43 * SECOND && sums.millis() == 43 * SECOND));
    CHECK(sums.cpuMicros == 5'000'000);
  }
  SECTION("where it has ended meanwhile, all but the last interval") {
    host.advance(30 * kj::SECONDS);
    demo.qemu = 0;
    host.tell(demo, WorkspaceState::STOPPED, Cause::RECOVERED);
    host.begin();
    host.advance(1 * kj::SECONDS);
    auto sums = host.sumsNow("id-demo");
    CHECK((sums.runningMillis == 10 * SECOND && sums.stoppedMillis == 33 * SECOND));
  }
  SECTION("where its end was told before, to the moment") {
    demo.qemu = 0;
    host.tell(demo, WorkspaceState::FAILED, Cause::VM_EXITED);
    host.advance(30 * kj::SECONDS);
    host.begin();
    host.advance(1 * kj::SECONDS);
    auto sums = host.sumsNow("id-demo");
    CHECK((sums.runningMillis == 12 * SECOND && sums.failedMillis == 31 * SECOND));
  }
  SECTION("where the host was off meanwhile") {
    host.advance(100 * kj::SECONDS);
    host.boot++;
    host.bootedAtMillis = host.virtualMillis();
    demo.qemu = 0;
    host.advance(20 * kj::SECONDS);
    host.tell(demo, WorkspaceState::STOPPED, Cause::RECOVERED);
    host.begin();
    host.advance(1 * kj::SECONDS);
    auto sums = host.sumsNow("id-demo");
    CHECK((sums.runningMillis == 10 * SECOND && sums.stoppedMillis == 123 * SECOND));
  }
}

TEST_CASE("a database that refuses costs no time, whether or not what it refused is in") {
  for (bool isIn : {false, true}) {
    TestHost host;
    auto& demo = host.create("demo", "id-demo");
    host.run(demo);
    host.advance(11 * kj::SECONDS);
    host.usage.changesToFail = 2;
    host.usage.failedAreIn = isIn;
    host.compute(1'000'000);
    host.advance(15 * kj::SECONDS);
    host.stop(demo);
    host.advance(20 * kj::SECONDS);
    auto sums = host.sumsNow("id-demo");
    CHECK((sums.runningMillis == 26 * SECOND && sums.stoppedMillis == 20 * SECOND));
    CHECK(sums.cpuMicros == 1'000'000);
  }
}

TEST_CASE("a pause that ends while no bothyd runs is one up to the last look") {
  TestHost host;
  auto& demo = host.create("demo", "id-demo");
  host.run(demo);
  host.advance(2 * kj::SECONDS);
  host.tell(demo, WorkspaceState::PAUSED);
  host.advance(3 * kj::HOURS);
  host.kill();
  demo.qemu = 0;
  host.boot++;
  host.bootedAtMillis = host.virtualMillis();
  host.advance(1 * kj::HOURS);
  host.tell(demo, WorkspaceState::STOPPED, Cause::RECOVERED);
  host.begin();
  auto sums = host.sumsNow("id-demo");
  CHECK((sums.runningMillis == 2 * SECOND && sums.pausedMillis == 3 * HOUR - 2 * SECOND));
  CHECK(sums.stoppedMillis == HOUR + 2 * SECOND);
}

TEST_CASE("counters that cannot be read for a while are read later, and time goes on") {
  TestHost host;
  auto& demo = host.create("demo", "id-demo");
  host.run(demo);
  host.advance(6 * kj::SECONDS);
  host.looksToFail = 3;
  host.compute(4'000'000);
  host.advance(15 * kj::SECONDS);
  CHECK(host.sumsOf("id-demo").cpuMicros == 0);
  CHECK(host.sumsOf("id-demo").runningMillis == 20 * SECOND);
  host.advance(5 * kj::SECONDS);
  CHECK(host.sumsOf("id-demo").cpuMicros == 4'000'000);
}

TEST_CASE("a change that is stored late counts from when it was, and not from when it was told") {
  TestHost host;
  auto& demo = host.create("demo", "id-demo");
  host.run(demo);
  host.advance(12 * kj::SECONDS);
  demo.qemu = 0;
  auto late = host.happen(demo, WorkspaceState::FAILED, Cause::VM_EXITED);
  host.advance(60 * kj::SECONDS);
  host.tell(kj::mv(late));
  host.advance(5 * kj::SECONDS);
  auto sums = host.sumsNow("id-demo");
  CHECK((sums.runningMillis == 12 * SECOND && sums.failedMillis == 65 * SECOND));
}

TEST_CASE("more events than are booked at once are booked one after the other") {
  TestHost host;
  for (int i = 0; i < 3; i++) host.create(kj::str("w", i), kj::str("id-w", i));
  auto& busy = host.workspace("w1");
  for (int i = 0; i < 5000; i++) host.tell(busy, WorkspaceState::STOPPED);
  host.run(busy);
  host.advance(5 * kj::SECONDS);
  CHECK(KJ_ASSERT_NONNULL(host.usage.rows.find("id-w1")).isPolled);
}

TEST_CASE("a guest that reboots has counters that begin anew") {
  TestHost host;
  auto& demo = host.create("demo", "id-demo");
  host.run(demo);
  host.compute(4'000'000);
  host.advance(6 * kj::SECONDS);
  host.tell(demo, WorkspaceState::STARTING, Cause::GUEST_REBOOTED);
  demo.qemu = ++host.lastQemu;
  demo.cpuMicros = 500'000;
  host.advance(2 * kj::SECONDS);
  host.tell(demo, WorkspaceState::RUNNING, Cause::GUEST_REBOOTED);
  host.advance(4 * kj::SECONDS);
  auto sums = host.sumsNow("id-demo");
  CHECK((sums.runningMillis == 10 * SECOND && sums.stoppedMillis == 2 * SECOND));
  CHECK(sums.cpuMicros == 4'500'000);
}

TEST_CASE("a clock that is set neither doubles nor loses time") {
  for (int64_t step : {-2 * HOUR, 2 * HOUR, -30 * HOUR}) {
    TestHost host;
    auto& demo = host.create("demo", "id-demo");
    auto& idle = host.create("idle", "id-idle");
    host.run(demo);
    host.advance(17 * kj::SECONDS);
    host.aheadMillis += step;
    host.advance(1 * kj::SECONDS);
    host.stop(demo);
    host.run(idle);
    host.advance(22 * kj::SECONDS);
    auto sums = host.sumsNow("id-demo");
    CHECK((sums.runningMillis == 18 * SECOND && sums.stoppedMillis == 22 * SECOND));
    sums = host.sumsNow("id-idle");
    CHECK((sums.runningMillis == 22 * SECOND && sums.stoppedMillis == 18 * SECOND));
  }
}

TEST_CASE("an event that was told before the clock was set counts from the last look on") {
  TestHost host;
  auto& demo = host.create("demo", "id-demo");
  host.advance(16 * kj::SECONDS);
  host.run(demo);
  host.aheadMillis += 5 * HOUR;
  host.advance(10 * kj::SECONDS);
  auto sums = host.sumsNow("id-demo");
  CHECK((sums.stoppedMillis == 15 * SECOND && sums.runningMillis == 11 * SECOND));
}

TEST_CASE("each record is read once from a cursor, over hours, kills and deletions") {
  TestHost host;
  auto& demo = host.create("demo", "id-demo");
  host.create("idle", "id-idle");
  host.run(demo);
  uint64_t cursor = 0;
  UsageSums bill;
  auto read = [&]() {
    for (;;) {
      auto page = KJ_ASSERT_NONNULL(host.metering)->records({cursor, 2}).wait(host.scope);
      for (auto& record : page.records) {
        CHECK(record.number > cursor);
        cursor = record.number;
        bill.add(record.sums);
      }
      if (!page.mayGoOn) return;
    }
  };
  for (int i = 0; i < 5; i++) {
    host.advance(1 * kj::HOURS);
    if (i % 2 == 0) read();
    host.kill();
    host.begin();
    host.advance(1 * kj::SECONDS);
  }
  host.stop(demo);
  host.tell(demo, WorkspaceState::DELETING, Cause::REQUEST, true);
  host.advance(10 * kj::SECONDS);
  CHECK(host.usage.rows.find("id-demo") == nullptr);
  read();
  CHECK(bill.runningMillis == 5 * HOUR + 5 * SECOND);
  // Of what rests a record comes when its day is over, because somebody looks.
  CHECK(bill.stoppedMillis == 0);
  host.advance(10 * kj::HOURS);
  read();
  CHECK(bill.stoppedMillis == 14 * HOUR);
  CHECK(host.usage.closed.size() == cursor);
}

TEST_CASE("a name that another workspace has had is told apart by the id") {
  TestHost host;
  auto& first = host.create("demo", "id-1");
  host.advance(6 * kj::SECONDS);
  host.tell(first, WorkspaceState::DELETING, Cause::REQUEST, true);
  host.create("demo", "id-2");
  host.advance(6 * kj::SECONDS);
  CHECK(host.sumsNow("id-1").stoppedMillis == 6 * SECOND);
  CHECK(host.sumsNow("id-2").stoppedMillis == 6 * SECOND);
  CHECK(host.sumsNow("demo").stoppedMillis == 12 * SECOND);
}

TEST_CASE("what rests costs no row, and what runs one a look") {
  TestHost host;
  for (int i = 0; i < 20; i++) host.create(kj::str("w", 100 + i), kj::str("id-", 100 + i));
  host.advance(6 * kj::SECONDS);
  const auto rows = host.usage.rowsWritten;
  CHECK(host.looks == 0);
  host.advance(2 * kj::HOURS);
  CHECK((host.usage.rowsWritten == rows && host.looks == 0));
  const auto commits = host.usage.commits;
  host.run(host.workspace("w100"));
  host.tell(host.workspace("w101"), WorkspaceState::STARTING);
  host.tell(host.workspace("w101"), WorkspaceState::RUNNING);
  host.tell(host.workspace("w101"), WorkspaceState::PAUSED);
  host.advance(100 * kj::SECONDS);
  CHECK(host.usage.commits <= commits + 21);
  CHECK(host.usage.rowsWritten <= rows + 22);
}

TEST_CASE(
    "workspaces that were there before anything was metered, or while nothing was kept, are "
    "metered from then on") {
  TestHost host;
  host.kill();
  auto& demo = host.create("demo", "id-demo");
  for (int i = 0; i < 8; i++) host.create(kj::str("w", i), kj::str("id-w", i));
  host.run(demo);
  host.advance(1 * kj::HOURS);
  host.eventStore.forget();
  host.begin();
  host.advance(8 * kj::SECONDS);
  CHECK(host.usage.rows.size() == 9);
  CHECK(host.sumsNow("id-demo").runningMillis == 8 * SECOND);
  CHECK(host.sumsNow("id-w7").stoppedMillis == 8 * SECOND);

  host.kill();
  host.tell(host.workspace("w3"), WorkspaceState::DELETING, Cause::REQUEST, true);
  host.stop(demo);
  host.tell(demo, WorkspaceState::STOPPED);
  host.eventStore.forget();
  host.tell(demo, WorkspaceState::STOPPED);
  host.begin();
  host.advance(8 * kj::SECONDS);
  CHECK(host.usage.rows.size() == 8);
  CHECK(host.sumsNow("id-demo").stoppedMillis == 8 * SECOND);
}

TEST_CASE("what is metered says whose it is, also when it is gone") {
  TestHost host;
  for (auto name : {"a"_kj, "b"_kj}) {
    host.create(name, kj::str("id-", name)).user = kj::str("user-", name);
  }
  host.advance(6 * kj::SECONDS);
  host.tell(host.workspace("a"), WorkspaceState::DELETING, Cause::REQUEST, true);
  host.advance(6 * kj::SECONDS);
  auto& metering = *KJ_ASSERT_NONNULL(host.metering);
  UsageQuery query;
  query.user = kj::str("user-a");
  auto page = metering.records(kj::mv(query)).wait(host.scope);
  REQUIRE(page.records.size() == 1);
  CHECK(page.records[0].workspaceId == "id-a");
  auto open = metering.open(nullptr, 10, nullptr, kj::str("user-b")).wait(host.scope);
  REQUIRE(open.records.size() == 1);
  CHECK((open.records[0].workspaceId == "id-b" && open.records[0].user == "user-b"));
}

TEST_CASE("a memory and a disk that change count from then on") {
  TestHost host;
  auto& demo = host.create("demo", "id-demo");
  host.run(demo);
  host.advance(10 * kj::SECONDS);
  demo.memoryMib = 1024;
  demo.diskMib = 4096;
  host.tell(demo, WorkspaceState::RUNNING);
  host.advance(10 * kj::SECONDS);
  auto sums = host.sumsNow("id-demo");
  CHECK(sums.memoryMibMillis == 10 * SECOND * (512 + 1024));
  CHECK(sums.diskMibMillis == 10 * SECOND * (2048 + 4096));
}

}  // namespace
}  // namespace bothy
