// What machines take of the host's processors, as the real driver tells it.

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "vm/test-machine-host.h"

namespace bothy {
namespace {

TEST_CASE("P27 the processor time of machines that run is told, each QEMU by a name of its own") {
  TestMachineHost w;
  for (auto name : {"m1"_kj, "m2"_kj}) w.leaveRunning(name);
  // Nobody has taken it over yet: its counter goes on, and is told later.
  CHECK(w.within(w.driver->consumption()).size() == 0);
  auto one = KJ_ASSERT_NONNULL(w.within(w.driver->adopt(w.spec("m1"))));
  auto other = KJ_ASSERT_NONNULL(w.within(w.driver->adopt(w.spec("m2"))));
  auto consumed = w.within(w.driver->consumption());
  REQUIRE(consumed.size() == 2);
  CHECK((consumed[0].name == "m1" && consumed[1].name == "m2"));
  CHECK(consumed[0].cpuNanos == 5'000'000);
  CHECK(consumed[0].qemu != consumed[1].qemu);
  CHECK(w.within(w.driver->consumption())[0].qemu == consumed[0].qemu);

  // One that is being cleared away has none any more, whatever libvirt still knows of it.
  w.processes.end(qemuOf("m2").pid);
  CHECK(w.within(other->onEnd()) == VmEnd::EXITED);
  CHECK(w.within(w.driver->consumption()).size() == 1);
}

TEST_CASE("what a machine has taken until its end is told once, whatever ended it") {
  TestMachineHost w;
  for (auto name : {"m1"_kj, "m2"_kj}) w.leaveRunning(name);
  auto one = KJ_ASSERT_NONNULL(w.within(w.driver->adopt(w.spec("m1"))));
  auto other = KJ_ASSERT_NONNULL(w.within(w.driver->adopt(w.spec("m2"))));
  const auto qemu = w.within(w.driver->consumption())[0].qemu;
  w.processes.compute(qemuOf("m1").pid, 4 * kj::SECONDS);
  w.processes.compute(qemuOf("m2").pid, 7 * kj::SECONDS);
  SECTION("bothyd") {
    w.within(one->destroy());
  }
  SECTION("itself") {
    w.processes.end(qemuOf("m1").pid);
    w.within(one->onEnd());
  }
  w.session->domains.lockExclusive()->clear();
  auto consumed = w.within(w.driver->consumption());
  REQUIRE(consumed.size() == 1);
  CHECK((consumed[0].name == "m1" && consumed[0].qemu == qemu));
  CHECK(consumed[0].cpuNanos == 4'000'000'000);
  CHECK(w.within(w.driver->consumption()).size() == 0);
}

}  // namespace
}  // namespace bothy
