#include "metering/meter.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr int64_t HOUR = 3'600'000, DAY = 24 * HOUR;
// 10:20 UTC of a day.
constexpr int64_t BEGIN = 20'000 * DAY + 10 * HOUR + HOUR / 3;

struct World {
  MeterRow row = Meter::rowOf("id", "demo", WorkspaceState::STOPPED, at(0));
  kj::Vector<UsageRecord> closed;
  Meter meter{row, closed};

  World() { meter.become(512, 2048); }
  static Moment at(int64_t millis) { return {1, 5000 + millis, BEGIN + millis}; }
  UsageSums all() const {
    auto sums = row.open;
    for (auto& record : closed) sums.add(record.sums);
    return sums;
  }
};

TEST_CASE("each state is metered as what it takes") {
  struct Expected {
    WorkspaceState state;
    int64_t UsageSums::* millis;
    bool hasMemory, isPolled;
  };
  using S = WorkspaceState;
  const Expected table[] = {
      {S::CREATING, &UsageSums::stoppedMillis, false, false},
      {S::STOPPED, &UsageSums::stoppedMillis, false, false},
      {S::STARTING, &UsageSums::stoppedMillis, false, false},
      {S::RUNNING, &UsageSums::runningMillis, true, true},
      {S::STOPPING, &UsageSums::runningMillis, true, true},
      {S::DELETING, &UsageSums::stoppedMillis, false, false},
      {S::FAILED, &UsageSums::failedMillis, false, false},
      {S::RESIZING, &UsageSums::stoppedMillis, false, false},
      {S::PAUSED, &UsageSums::pausedMillis, true, false},
      {S::PAUSING, &UsageSums::runningMillis, true, true},
      {S::RESUMING, &UsageSums::pausedMillis, true, false},
      {S::EXPIRED, &UsageSums::expiredMillis, false, false},
      {S::EXPIRING, &UsageSums::stoppedMillis, false, false},
      {S::HIBERNATED, &UsageSums::hibernatedMillis, false, false},
      {S::HIBERNATING, &UsageSums::runningMillis, true, true},
  };
  for (auto& expected : table) {
    const auto as = meteredAs(expected.state);
    INFO(toString(expected.state).cStr());
    CHECK((as.millis == expected.millis && as.hasMemory == expected.hasMemory));
    CHECK(as.isPolled == expected.isPolled);
  }
}

TEST_CASE("P27 what runs is booked with memory and disk, and memory no more once it is stopped") {
  World w;
  w.meter.pass(w.at(1000));
  w.meter.become(WorkspaceState::RUNNING);
  w.meter.pass(w.at(3000));
  w.meter.become(WorkspaceState::PAUSED);
  w.meter.pass(w.at(7000));
  w.meter.become(WorkspaceState::FAILED);
  w.meter.pass(w.at(8000));
  CHECK((w.row.open.stoppedMillis == 1000 && w.row.open.runningMillis == 2000));
  CHECK((w.row.open.pausedMillis == 4000 && w.row.open.failedMillis == 1000));
  CHECK(w.row.open.memoryMibMillis == 6000 * 512);
  CHECK(w.row.open.diskMibMillis == 8000 * 2048);
  CHECK(w.closed.size() == 0);
}

TEST_CASE("what has expired is booked without a disk") {
  World w;
  w.meter.become(WorkspaceState::EXPIRING);
  w.meter.pass(w.at(1000));
  w.meter.become(WorkspaceState::EXPIRED);
  w.meter.pass(w.at(4000));
  CHECK((w.row.open.stoppedMillis == 1000 && w.row.open.expiredMillis == 3000));
  CHECK(w.row.open.diskMibMillis == 1000 * 2048);
}

TEST_CASE("what runs has a record an hour, and what stands still one a day") {
  World w;
  w.meter.become(WorkspaceState::RUNNING);
  w.meter.pass(w.at(2 * HOUR));
  REQUIRE(w.closed.size() == 2);
  CHECK((w.closed[0].fromMillis == BEGIN && w.closed[0].untilMillis == BEGIN + HOUR * 2 / 3));
  CHECK(w.closed[0].sums.runningMillis == HOUR * 2 / 3);
  CHECK((w.closed[1].sums.runningMillis == HOUR && w.row.open.runningMillis == HOUR / 3));
  w.meter.become(WorkspaceState::STOPPED);
  CHECK(w.row.dueMillis == BEGIN + HOUR * 8 / 3);

  // Until the next hour, until midnight, two whole days, and what is left.
  w.meter.pass(w.at(2 * HOUR + 3 * DAY));
  REQUIRE(w.closed.size() == 6);
  CHECK(w.closed[2].sums.runningMillis == HOUR / 3);
  CHECK(w.closed[2].sums.stoppedMillis == HOUR * 2 / 3);
  CHECK(w.closed[3].sums.stoppedMillis == 11 * HOUR);
  CHECK(w.closed[4].sums.stoppedMillis == DAY);
  CHECK(w.closed[5].untilMillis % DAY == 0);
  CHECK(w.row.open.stoppedMillis == 12 * HOUR + HOUR / 3);
  CHECK(w.row.dueMillis == BEGIN / DAY * DAY + 4 * DAY);
  CHECK(w.all().millis() == 2 * HOUR + 3 * DAY);

  // One that runs again at noon has a record of its own for that hour.
  w.meter.become(WorkspaceState::RUNNING);
  w.meter.pass(w.at(2 * HOUR + 3 * DAY + 1000));
  CHECK(w.closed.size() == 7);
  CHECK(w.row.open.runningMillis == 1000);
}

TEST_CASE("no time is booked twice, and none before what is booked") {
  World w;
  w.meter.become(WorkspaceState::RUNNING);
  w.meter.pass(w.at(5000));
  w.meter.pass(w.at(5000));
  w.meter.pass(w.at(4000));
  w.meter.pass(w.at(6000));
  CHECK(w.all().runningMillis == 6000);
}

TEST_CASE("a clock that is set changes what times are called, and no sum") {
  for (int64_t step : {-3 * HOUR, 3 * HOUR, -40 * DAY}) {
    World w;
    w.meter.become(WorkspaceState::RUNNING);
    w.meter.pass(w.at(1000));
    auto moment = w.at(3000);
    moment.wallMillis += step;
    w.meter.pass(moment);
    CHECK(w.all().runningMillis == 3000);
    REQUIRE(w.closed.size() == 1);
    CHECK((w.closed[0].fromMillis == BEGIN && w.closed[0].untilMillis == BEGIN + 1000));
    CHECK(w.row.fromMillis == BEGIN + step + 1000);
  }
}

TEST_CASE("over a boot of the host time goes by its clock, at most as long as records are kept") {
  World w;
  w.meter.pass({2, 10, BEGIN + 5000});
  CHECK(w.all().stoppedMillis == 5000);
  // Set back meanwhile.
  w.meter.pass({3, 10, BEGIN});
  CHECK(w.all().stoppedMillis == 5000);
  w.meter.pass({3, 20, BEGIN + 10});
  CHECK(w.all().stoppedMillis == 5010);
  w.meter.pass({4, 20, BEGIN + 1000 * DAY});
  CHECK(w.all().stoppedMillis == 5010 + 90 * DAY);
}

TEST_CASE("processor time counts from 0 on with each QEMU, and none twice") {
  World w;
  w.meter.become(WorkspaceState::RUNNING);
  w.meter.pass(w.at(1000));
  w.meter.consume(7, 300);
  w.meter.consume(7, 500);
  w.meter.consume(7, 500);
  CHECK(w.row.open.cpuMicros == 500);
  w.meter.consume(8, 600);
  CHECK(w.row.open.cpuMicros == 1100);
  // The same name, and it has begun anew.
  w.meter.consume(8, 100);
  CHECK(w.row.open.cpuMicros == 1200);
}

TEST_CASE("a record with processor time is no longer than its hour") {
  World w;
  w.meter.become(WorkspaceState::PAUSED);
  w.meter.pass(w.at(5 * HOUR));
  w.meter.consume(7, 300);
  REQUIRE(w.closed.size() == 1);
  CHECK((w.closed[0].sums.pausedMillis == 5 * HOUR && w.closed[0].sums.cpuMicros == 0));
  w.meter.pass(w.at(6 * HOUR));
  w.meter.close();
  REQUIRE(w.closed.size() == 3);
  CHECK((w.closed[1].sums.cpuMicros == 300 && w.closed[2].sums.cpuMicros == 0));
  CHECK(w.closed[1].untilMillis % HOUR == 0);
}

}  // namespace
}  // namespace bothy
