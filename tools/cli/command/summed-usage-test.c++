#include "command/summed-usage.h"

#include <capnp/message.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr int64_t HOUR = 3'600'000, DAY = 24 * HOUR;
// 2024-10-04 00:00 UTC.
constexpr int64_t MIDNIGHT = 20'000 * DAY;

int64_t timeOf(kj::StringPtr text) {
  return parseTimeOfUsage(text, MIDNIGHT).orDefault(-1);
}

struct Given {
  capnp::MallocMessageBuilder message;
  rpc::UsageRecord::Reader record(kj::StringPtr id, kj::StringPtr name, int64_t from, int64_t until,
                                  int64_t running, int64_t stopped) {
    auto record = message.initRoot<rpc::UsageRecord>();
    record.setWorkspaceId(id);
    record.setWorkspace(name);
    record.setFromMillis(from);
    record.setUntilMillis(until);
    record.initUsage().setRunningMillis(running);
    record.getUsage().setStoppedMillis(stopped);
    record.getUsage().setDiskMibMillis((running + stopped) * 2048);
    return record;
  }
};

TEST_CASE("a time of usage is a day or hour of UTC, or how long ago") {
  CHECK(timeOf("2024-10-04") == MIDNIGHT);
  CHECK(timeOf("2024-10-04T14") == MIDNIGHT + 14 * HOUR);
  CHECK(timeOf("2024-10-04T14:30") == MIDNIGHT + 14 * HOUR + HOUR / 2);
  CHECK(timeOf("36h") == MIDNIGHT - 36 * HOUR);
  CHECK(timeOf("7d") == MIDNIGHT - 7 * DAY);
  for (auto wrong : {"", "yesterday", "2024-13-04", "2024-10-04x", "d", "-3d"}) {
    INFO(wrong);
    CHECK(timeOf(wrong) == -1);
  }
  CHECK(dayOf(MIDNIGHT + HOUR) == "2024-10-04");
  CHECK(hourOf(MIDNIGHT + HOUR) == "2024-10-04 01:00");
}

TEST_CASE("usage is summed by workspace, and those of one name are told apart") {
  SummedUsage sums(SummedUsage::By::WORKSPACE, INT64_MIN, INT64_MAX);
  Given a, b, c;
  sums.add(a.record("2", "demo", MIDNIGHT, MIDNIGHT + HOUR, HOUR, 0));
  sums.add(b.record("1", "demo", MIDNIGHT - DAY, MIDNIGHT, 0, DAY));
  sums.add(c.record("2", "demo", MIDNIGHT + HOUR, MIDNIGHT + 2 * HOUR, HOUR / 2, HOUR / 2));
  auto all = sums.all();
  REQUIRE(all.size() == 2);
  CHECK((all[0]->workspaceId == "1" && all[0]->stoppedMillis == DAY));
  CHECK((all[1]->runningMillis == HOUR * 3 / 2 && all[1]->stoppedMillis == HOUR / 2));
  CHECK((all[1]->fromMillis == MIDNIGHT && all[1]->untilMillis == MIDNIGHT + 2 * HOUR));
}

TEST_CASE("of a record that is partly outside of the time, that part counts") {
  SummedUsage sums(SummedUsage::By::WORKSPACE, MIDNIGHT + 6 * HOUR, MIDNIGHT + 12 * HOUR);
  Given a, b;
  sums.add(a.record("1", "demo", MIDNIGHT, MIDNIGHT + DAY, 0, DAY));
  sums.add(b.record("1", "demo", MIDNIGHT + DAY, MIDNIGHT + 2 * DAY, 0, DAY));
  auto all = sums.all();
  REQUIRE(all.size() == 1);
  CHECK((all[0]->stoppedMillis == 6 * HOUR && all[0]->diskMibMillis == 6 * HOUR * 2048));
}

TEST_CASE("usage is summed by day and by hour") {
  Given a, b;
  auto day = a.record("1", "demo", MIDNIGHT, MIDNIGHT + DAY, 0, DAY);
  auto hour = b.record("2", "other", MIDNIGHT + HOUR / 2, MIDNIGHT + HOUR, HOUR / 2, 0);
  SummedUsage days(SummedUsage::By::DAY, INT64_MIN, INT64_MAX);
  SummedUsage hours(SummedUsage::By::HOUR, INT64_MIN, INT64_MAX);
  for (auto sums : {&days, &hours}) {
    sums->add(day);
    sums->add(hour);
  }
  REQUIRE(days.all().size() == 1);
  CHECK((days.all()[0]->stoppedMillis == DAY && days.all()[0]->runningMillis == HOUR / 2));
  auto all = hours.all();
  REQUIRE(all.size() == 24);
  CHECK((all[0]->stoppedMillis == HOUR && all[0]->runningMillis == HOUR / 2));
  CHECK((all[1]->fromMillis == MIDNIGHT + HOUR && all[1]->untilMillis == MIDNIGHT + 2 * HOUR));
  CHECK((all[23]->stoppedMillis == HOUR && all[23]->workspaceId == ""));
}

}  // namespace
}  // namespace bothy
