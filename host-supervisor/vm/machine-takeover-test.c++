// What the real driver does with machines that an earlier process has started.

#include <string.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "vm/test-machine-host.h"

namespace bothy {
namespace {

using Takeover = kj::Promise<kj::Maybe<kj::Own<RunningVm>>>;

TEST_CASE(
    "P41 R20 of many machines that are taken over sixteen are at once, and none is left out") {
  constexpr size_t AT_ONCE = 16, MACHINES = 50;
  TestMachineHost w;
  w.processes.holdsConsoles = true;
  kj::Vector<Takeover> takeovers;
  for (size_t i = 1; i <= MACHINES; i++) {
    auto name = kj::str("m", i);
    w.leaveRunning(name);
    takeovers.add(w.driver->adopt(w.spec(name)));
  }
  auto& held = w.processes.heldConsoles;
  auto expectUnderWay = [&](size_t over) {
    w.scope.poll();
    CHECK(w.processes.consolesAsked == kj::min(over + AT_ONCE, MACHINES));
  };
  expectUnderWay(0);
  // Nor when time passes.
  w.pass(1 * kj::HOURS);
  expectUnderWay(0);
  // One that is given up leaves its place, as one that is done does.
  takeovers[0] = nullptr;
  expectUnderWay(1);
  // One that has no place yet takes none.
  takeovers[MACHINES - 1] = nullptr;
  for (size_t i = 1; i < MACHINES - 1; i++) {
    held[i]->fulfill();
    w.scope.poll();
    CHECK(w.processes.consolesAsked == kj::min(i + 1 + AT_ONCE, MACHINES - 1));
    CHECK(takeovers[i].poll(w.scope));
  }
  for (size_t i = 1; i < MACHINES - 1; i++) {
    auto vm = takeovers[i].wait(w.scope);
    CHECK(KJ_ASSERT_NONNULL(vm)->user() == userOf(kj::str("m", i + 1)));
    CHECK_FALSE(KJ_ASSERT_NONNULL(vm)->isConsoleKnown());
  }
}

TEST_CASE("P41 R20 a takeover reads a machine's record once, also where it is damaged") {
  TestMachineHost w;
  w.leaveRunning("m1");
  SECTION("of a record that is whole") {
    CHECK(w.within(w.driver->adopt(w.spec("m1"))) != nullptr);
  }
  SECTION("of a damaged record") {
    w.storage.saveRecord({kj::str("m1"), nullptr, 0});
    CHECK_THROWS(w.within(w.driver->adopt(w.spec("m1"))));
  }
  CHECK(w.storage.reads() == 1);
}

TEST_CASE(
    "P29 P53 a machine that is taken over has the limits of its disk that it is to have now") {
  TestMachineHost w;
  w.leaveRunning("m1");
  auto spec = w.spec("m1");
  SECTION("some") {
    spec.io = {1000, 2000, 30, 40};
  }
  SECTION("none, where it may have had some") {}
  SECTION("a QEMU that refuses them is taken over all the same") {
    w.session->refusesCommands = true;
  }
  const auto limits = spec.io;
  CHECK(w.within(w.driver->adopt(kj::mv(spec))) != nullptr);
  auto commands = w.session->commands.lockExclusive();
  REQUIRE(commands->size() == 1);
  auto& told = (*commands)[0];
  INFO(told.cStr());
  CHECK(told.startsWith("m1 {\"execute\":\"block_set_io_throttle\""));
  auto expected = kj::str("\"bps_rd\":", limits.readBytes, ",\"bps_wr\":", limits.writeBytes,
                          ",\"iops\":0,\"iops_rd\":", limits.readOperations,
                          ",\"iops_wr\":", limits.writeOperations);
  CHECK(strstr(told.cStr(), expected.cStr()) != nullptr);
}

TEST_CASE("P41 a machine whose vsock nobody can look after is watched for its end all the same") {
  struct Thrower final: public VmDriver::Events {
    void vsockLost(kj::StringPtr) override { KJ_FAIL_REQUIRE("it does not hear"); }
    void vsockRestored(kj::StringPtr) override {}
    void vsockNotRestored(kj::StringPtr) override {}
    void diskFull(kj::StringPtr) override {}
    void diskFreed(kj::StringPtr) override {}
  };
  Thrower listener;
  TestMachineHost w;
  w.driver->setEvents(listener);
  w.leaveRunning("m1", true);
  auto vm = KJ_ASSERT_NONNULL(w.within(w.driver->adopt(w.spec("m1"))));
  w.processes.end(deviceOf("m1").pid);
  w.pass(5 * kj::SECONDS);
  auto end = vm->onEnd();
  CHECK_FALSE(end.poll(w.scope));
  w.processes.end(qemuOf("m1").pid);
  CHECK(w.within(kj::mv(end)) == VmEnd::EXITED);
}

}  // namespace
}  // namespace bothy
