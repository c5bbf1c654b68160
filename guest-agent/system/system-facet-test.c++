#include "system/system-facet.h"

#include <kj/async-io.h>
#include <kj/debug.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

class FakeMachine final: public MachineControl {
public:
  void report(rpc::BootReport::Builder report) override {
    report.setKernel("6.12.0");
    report.getDataDisk().setDamaged("bad superblock");
  }
  bool hasDataDisk() override { return false; }
  void powerOff(kj::Duration grace) override { off = grace; }
  void reboot(kj::Duration grace) override { again = grace; }

  kj::Maybe<kj::Duration> off, again;
};

struct Fixture {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  FakeMachine machine;
  rpc::System::Client system = newSystemFacet(machine, ProgramMark());
};

TEST_CASE("the report tells a damaged data disk") {
  Fixture f;
  auto response = f.system.reportRequest().send().wait(f.scope);
  CHECK(response.getReport().getKernel() == "6.12.0");
  REQUIRE(response.getReport().getDataDisk().isDamaged());
  CHECK(response.getReport().getDataDisk().getDamaged() == "bad superblock");
}

TEST_CASE("power off and reboot pass the grace on") {
  Fixture f;
  auto off = f.system.powerOffRequest();
  off.setGraceMillis(1500);
  off.send().wait(f.scope);
  CHECK(KJ_ASSERT_NONNULL(f.machine.off) == 1500 * kj::MILLISECONDS);
  CHECK(f.machine.again == nullptr);

  f.system.rebootRequest().send().wait(f.scope);
  CHECK(KJ_ASSERT_NONNULL(f.machine.again) == 0 * kj::SECONDS);
}

TEST_CASE("a grace over the limit is refused") {
  Fixture f;
  auto off = f.system.powerOffRequest();
  off.setGraceMillis(600001);
  CHECK_THROWS_AS(off.send().wait(f.scope), kj::Exception);
  CHECK(f.machine.off == nullptr);
}

TEST_CASE("health is measured when it is asked for") {
  Fixture f;
  auto response = f.system.healthRequest().send().wait(f.scope);
  CHECK(response.getHealth().getUptimeMillis() > 0);
}

}  // namespace
}  // namespace bothy
