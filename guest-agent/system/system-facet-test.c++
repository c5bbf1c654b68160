#include "system/system-facet.h"

#include <kj/async-io.h>
#include <kj/debug.h>

#include <catch2/catch_test_macros.hpp>

#include "power/test-shutdown-steps.h"

namespace bothy {
namespace {

struct Fixture {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  FakeSteps steps;
  Power power{timer, steps};
  rpc::System::Client system = systemOf(power);

  static rpc::System::Client systemOf(kj::Maybe<Power&> power) {
    auto report = [](rpc::BootReport::Builder report) {
      report.setKernel("6.12.0");
      report.getDataDisk().setDamaged("bad superblock");
    };
    return newSystemFacet({report, DiskSpace::NOT_TOLD, power, ProgramMark()});
  }
  // What the end has come to after so long.
  kj::String historyAfter(kj::Duration time) {
    scope.poll();
    timer.advanceTo(timer.now() + time);
    scope.poll();
    return steps.history();
  }
};

TEST_CASE("the report tells a damaged data disk") {
  Fixture f;
  auto response = f.system.reportRequest().send().wait(f.scope);
  CHECK(response.getReport().getKernel() == "6.12.0");
  REQUIRE(response.getReport().getDataDisk().isDamaged());
  CHECK(response.getReport().getDataDisk().getDamaged() == "bad superblock");
}

TEST_CASE("power off passes the grace on") {
  Fixture f;
  auto off = f.system.powerOffRequest();
  off.setGraceMillis(1500);
  off.send().wait(f.scope);
  CHECK(f.historyAfter(1500 * kj::MILLISECONDS - 1 * kj::NANOSECONDS) == "TERM");
  CHECK(f.historyAfter(1 * kj::NANOSECONDS) == "TERM KILL");
  CHECK(f.historyAfter(KILL_LIMIT) == "TERM KILL off");
}

TEST_CASE("a reboot without a grace is one at once") {
  Fixture f;
  f.system.rebootRequest().send().wait(f.scope);
  CHECK(f.historyAfter(0 * kj::SECONDS) == "TERM KILL");
  CHECK(f.historyAfter(KILL_LIMIT) == "TERM KILL reboot");
}

TEST_CASE("a grace over the limit is refused") {
  Fixture f;
  auto off = f.system.powerOffRequest();
  off.setGraceMillis(600001);
  CHECK_THROWS_AS(off.send().wait(f.scope), kj::Exception);
  CHECK(f.historyAfter(MAX_GRACE) == "");
}

TEST_CASE("where there is no machine to end that is said") {
  Fixture f;
  auto system = Fixture::systemOf(nullptr);
  CHECK_THROWS_AS(system.powerOffRequest().send().wait(f.scope), kj::Exception);
  CHECK_THROWS_AS(system.rebootRequest().send().wait(f.scope), kj::Exception);
}

TEST_CASE("health is measured when it is asked for") {
  Fixture f;
  auto response = f.system.healthRequest().send().wait(f.scope);
  CHECK(response.getHealth().getUptimeMillis() > 0);
}

}  // namespace
}  // namespace bothy
