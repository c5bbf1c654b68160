#include <catch2/catch_test_macros.hpp>

#include "command/command-test-world.h"
#include "console/failure.h"

namespace bothy {
namespace {

constexpr int64_t HOUR = 3'600'000, DAY = 24 * HOUR;
// 2024-10-04 00:00 UTC.
constexpr int64_t MIDNIGHT = 20'000 * DAY;

struct World: public CommandTestWorld {
  World() {
    auto& metering = supervisor.metering;
    metering.open.clear();
    metering.closed.add(FakeMetering::Record{.id = "1",
                                             .name = "demo",
                                             .fromMillis = MIDNIGHT,
                                             .untilMillis = MIDNIGHT + HOUR,
                                             .runningMillis = HOUR / 2,
                                             .stoppedMillis = HOUR / 2,
                                             .cpuMicros = 90'000'000,
                                             .memoryMibMillis = HOUR / 2 * 1024,
                                             .diskMibMillis = HOUR * 2048});
    metering.closed.add(FakeMetering::Record{.id = "2",
                                             .name = "gone",
                                             .fromMillis = MIDNIGHT - DAY,
                                             .untilMillis = MIDNIGHT,
                                             .stoppedMillis = DAY,
                                             .diskMibMillis = DAY * 1024});
    metering.open.add(FakeMetering::Record{.id = "1",
                                           .name = "demo",
                                           .fromMillis = MIDNIGHT + HOUR,
                                           .untilMillis = MIDNIGHT + HOUR * 3 / 2,
                                           .pausedMillis = HOUR / 2,
                                           .memoryMibMillis = HOUR / 2 * 1024,
                                           .diskMibMillis = HOUR / 2 * 2048});
  }
};

TEST_CASE("usage shows what each workspace has had and taken, also what is not closed") {
  World world;
  CHECK(world.run({"usage"}) == SUCCESS);
  INFO(world.out().cStr());
  CHECK(contains(world.out(), "NAME  RUNNING  PAUSED  AT REST  CPU    MEMORY      DISK"));
  CHECK(contains(world.out(), "demo  30m00s   30m00s  30m00s   1m30s  1.00 GiB h  3.00 GiB h"));
  CHECK(contains(world.out(), "gone  -        -       1d0h     -      -           24.00 GiB h"));
  CHECK(world.run({"usage", "--json"}) == SUCCESS);
  CHECK(contains(world.out(), "\"workspace\":\"demo\""));
  CHECK(contains(world.out(), "\"runningMillis\":\"1800000\""));
}

TEST_CASE("usage goes through all pages") {
  World world;
  world.supervisor.metering.page = 1;
  CHECK(world.run({"usage"}) == SUCCESS);
  CHECK(contains(world.out(), "gone  -"));
}

TEST_CASE("usage counts once what is closed while it asks") {
  World world;
  world.supervisor.metering.closedMeanwhile = 1;
  CHECK(world.run({"usage"}) == SUCCESS);
  CHECK_FALSE(contains(world.out(), "gone"));
  CHECK(contains(world.out(), "demo  30m00s"));
}

TEST_CASE("usage asks for a workspace and a time, and sums by day or hour") {
  World world;
  CHECK(world.run({"usage", "--since", "2024-10-03", "--until", "2024-10-04T12", "demo"}) ==
        SUCCESS);
  auto& metering = world.supervisor.metering;
  CHECK((metering.workspace == "demo" && metering.sinceMillis == MIDNIGHT - DAY));
  CHECK(metering.untilMillis == MIDNIGHT + 12 * HOUR);
  CHECK(world.run({"usage", "--user", "alice", "--by", "day"}) == SUCCESS);
  CHECK((metering.user == "alice" && metering.workspace == ""));
  CHECK(contains(world.out(), "DAY         RUNNING"));
  CHECK(contains(world.out(), "2024-10-03  -"));
  CHECK(contains(world.out(), "2024-10-04  30m00s"));
}

TEST_CASE("usage by hour leaves out what was before") {
  World world;
  CHECK(world.run({"usage", "--by", "hour", "--since", "2024-10-04"}) == SUCCESS);
  CHECK(contains(world.out(), "2024-10-04 01:00  -        30m00s  -        -      512.0 MiB h"));
  CHECK_FALSE(contains(world.out(), "2024-10-03"));
  CHECK(world.run({"usage", "--since", "2030-01-01"}) == SUCCESS);
  CHECK(contains(world.errors(), "nothing was metered in this time"));
}

TEST_CASE("usage says what a time is, and what it may be summed by") {
  World world;
  CHECK(world.run({"usage", "--since", "lately"}) == WRONG_USAGE);
  CHECK(contains(world.errors(), "--since lately: it must be a day (2026-11-30)"));
  CHECK(world.run({"usage", "--by", "user"}) == WRONG_USAGE);
  CHECK(contains(world.errors(), "--by user: it must be one of workspace, day, hour"));
  CHECK(world.run({"usage", "--since", "1d", "--until", "2d"}) == WRONG_USAGE);
  CHECK(contains(world.errors(), "--until must be after --since"));
}

}  // namespace
}  // namespace bothy
