// The real driver, over a host in memory and in virtual time: machines that are paused.
#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "simulation/driver-bed.h"

namespace bothy {
namespace {

using Kind = HostAbilities::Vsock;

// One machine, whose agent answers.
struct World: public Bed {
  kj::Own<RunningVm> vm;

  explicit World(Kind kind = Kind::VHOST_USER) {
    vsock = kind;
    begin();
    vm = start("one");
    pass(5 * kj::SECONDS);
    REQUIRE(answers(*vm));
  }
  SimulatedMachine& machine() { return KJ_ASSERT_NONNULL(host.machinery.machine("one")); }
  bool isDialled() {
    auto dial = vm->dial(1);
    return kj::runCatchingExceptions(
               [&]() { within(timer.timeoutAfter(kj::SECONDS, kj::mv(dial))); }) == nullptr;
  }
  kj::uint devices() {
    kj::uint count = 0;
    for (auto& entry : host.machinery.processes) {
      count += entry.value->program == SimulatedMachinery::Program::VSOCK_DEVICE;
    }
    return count;
  }
  // Another bothyd.
  void adopt(VmSpec::Cpus found) {
    vm = nullptr;
    auto again = copyWithoutKey(KJ_ASSERT_NONNULL(host.machinery.specs.find("one")));
    begin();
    again.found = found;
    auto adopted = within(driver().adopt(kj::mv(again)));
    vm = kj::mv(KJ_ASSERT_NONNULL(adopted));
  }
};

TEST_CASE(
    "P44 P58 a machine that is paused stands still, and nothing is done about it until it goes "
    "on") {
  World w(GENERATE(Kind::VHOST_USER, Kind::KERNEL));
  w.within(w.vm->pause());
  CHECK(w.vm->isPaused());
  CHECK_FALSE(w.vm->isStalled());
  CHECK(w.machine().isPaused());
  CHECK(w.devices() == 0);
  CHECK_FALSE(w.isDialled());
  // No timer runs for it, so it costs no turn of the loop.
  w.pass(1 * kj::HOURS);
  CHECK(w.timer.nextEvent() == nullptr);
  // Again is the same.
  w.within(w.vm->pause());

  const auto begin = w.timer.now();
  w.within(w.vm->resume());
  CHECK(w.timer.now() - begin < 1 * kj::SECONDS);
  CHECK_FALSE(w.vm->isPaused());
  CHECK_FALSE(w.machine().isPaused());
  CHECK(w.answers(*w.vm));
  CHECK(w.timer.now() - begin < 2 * kj::SECONDS);
  // Nobody is told that a vsock device was lost, for none was.
  CHECK((w.witness.lost == 0 && w.witness.restored == 0 && w.witness.stalled == 0));
  w.within(w.vm->resume());
}

TEST_CASE("P58 a machine is paused and resumed any number of times") {
  World w;
  for (int i = 0; i < 20; i++) {
    w.within(w.vm->pause());
    w.pass(1 * kj::SECONDS);
    w.within(w.vm->resume());
    CHECK(w.answers(*w.vm));
    CHECK(w.devices() == 1);
  }
  CHECK(w.witness.lost == 0);
}

TEST_CASE(
    "P58 a guest that keeps its vsock device is paused all the same, and has another after it") {
  World w;
  w.host.fate.decree(Fault::UNPLUG_IGNORED);
  w.within(w.vm->pause());
  CHECK(w.machine().isPaused());
  w.within(w.vm->resume());
  CHECK(w.answers(*w.vm));
  CHECK((w.witness.lost == 0 && w.witness.restored == 0));
}

TEST_CASE(
    "P58 a vsock device that does not start keeps no machine from going on, and another follows") {
  World w;
  w.within(w.vm->pause());
  w.host.fate.decree(Fault::DEVICE_FAILS);
  w.within(w.vm->resume());
  CHECK_FALSE(w.machine().isPaused());
  CHECK(w.answers(*w.vm));
  CHECK(w.witness.lost == 0);
}

TEST_CASE("P58 a device that is lost before the pause is told as restored after it") {
  World w;
  w.host.machinery.loseDevice("one");
  // In the middle of its replacement.
  w.pass(GENERATE(0, 20, 60, 1100) * kj::MILLISECONDS);
  w.within(w.vm->pause());
  w.pass(1 * kj::MINUTES);
  const auto lost = w.witness.lost, restored = w.witness.restored;
  w.within(w.vm->resume());
  CHECK(w.answers(*w.vm));
  w.pass(5 * kj::SECONDS);
  CHECK(w.witness.lost == lost);
  CHECK(w.witness.restored == lost);
  CHECK(w.witness.restored >= restored);
}

TEST_CASE("P58 a device that fails after a resume is replaced as ever") {
  World w;
  w.within(w.vm->pause());
  w.within(w.vm->resume());
  w.pass(5 * kj::SECONDS);
  w.host.machinery.loseDevice("one");
  w.pass(10 * kj::SECONDS);
  CHECK((w.witness.lost == 1 && w.witness.restored == 1));
  CHECK(w.answers(*w.vm));
}

TEST_CASE("P58 a full disk lets no paused machine go on, and a resume none that waits for room") {
  World w;
  const bool isStallFirst = GENERATE(true, false);
  constexpr auto FULL = 60 * kj::SECONDS;
  auto stall = [&]() {
    w.host.machinery.stall("one", FULL);
    w.pass(0 * kj::SECONDS);
  };
  if (isStallFirst) stall();
  w.within(w.vm->pause());
  if (!isStallFirst) stall();
  CHECK(w.vm->isPaused());
  // There is room, and it is paused.
  w.pass(2 * FULL);
  CHECK(w.machine().standsStill());
  CHECK(w.witness.freed == 0);
  SECTION("resumed when there is room") {
    w.within(w.vm->resume());
  }
  SECTION("resumed when there is none again") {
    w.host.machinery.stall("one", FULL);
    w.within(w.vm->resume());
    CHECK_FALSE(w.vm->isPaused());
    w.pass(FULL / 2);
    CHECK(w.vm->isStalled());
    CHECK(w.machine().standsStill());
  }
  w.pass(2 * FULL);
  CHECK_FALSE(w.machine().standsStill());
  CHECK_FALSE(w.vm->isStalled());
  CHECK(w.answers(*w.vm));
  CHECK(w.witness.stalled == w.witness.freed);
}

TEST_CASE("P41 P58 a machine that is paused is taken over as it is, and none else is") {
  World w(GENERATE(Kind::VHOST_USER, Kind::KERNEL));
  w.within(w.vm->pause());
  SECTION("to stand still") {
    w.adopt(VmSpec::Cpus::STAND_STILL);
    CHECK(w.vm->isPaused());
  }
  SECTION("however it is") {
    w.adopt(VmSpec::Cpus::EITHER);
    CHECK(w.vm->isPaused());
  }
  SECTION("to run") {
    w.adopt(VmSpec::Cpus::RUN);
    CHECK_FALSE(w.vm->isPaused());
    CHECK_FALSE(w.machine().isPaused());
    CHECK(w.answers(*w.vm));
    return;
  }
  CHECK(w.machine().isPaused());
  w.pass(10 * kj::MINUTES);
  CHECK(w.machine().isPaused());
  CHECK(w.witness.lost == 0);
  w.within(w.vm->resume());
  CHECK(w.answers(*w.vm));
  CHECK(w.witness.lost == 0);
}

TEST_CASE("P41 P58 a machine that runs and is to stand still does, when it is taken over") {
  World w;
  w.adopt(VmSpec::Cpus::STAND_STILL);
  CHECK(w.vm->isPaused());
  w.pass(5 * kj::SECONDS);
  CHECK(w.machine().isPaused());
  w.within(w.vm->resume());
  CHECK(w.answers(*w.vm));
}

TEST_CASE("P41 P58 a machine that is paused and waits for room is taken over as both") {
  World w;
  w.host.machinery.stall("one", 60 * kj::SECONDS);
  w.pass(1 * kj::SECONDS);
  w.within(w.vm->pause());
  w.adopt(VmSpec::Cpus::STAND_STILL);
  CHECK(w.vm->isPaused());
  w.pass(10 * kj::MINUTES);
  CHECK(w.machine().standsStill());
  w.within(w.vm->resume());
  w.pass(10 * kj::SECONDS);
  CHECK_FALSE(w.machine().standsStill());
  CHECK(w.answers(*w.vm));
}

TEST_CASE("P58 a pause that libvirt refuses leaves the machine running, with its vsock") {
  World w;
  w.host.fate.decree(Fault::CALL_FAILS);  // the unplug
  w.host.fate.decree(Fault::CALL_FAILS);  // the pause
  CHECK(kj::runCatchingExceptions([&]() { w.within(w.vm->pause()); }) != nullptr);
  CHECK_FALSE(w.vm->isPaused());
  w.pass(10 * kj::SECONDS);
  CHECK_FALSE(w.machine().isPaused());
  CHECK(w.answers(*w.vm));
  CHECK(w.witness.lost == 0);
}

TEST_CASE("P58 a pause or resume that libvirt carries out and calls failed is taken back") {
  World w;
  const bool isPause = GENERATE(true, false);
  if (!isPause) w.within(w.vm->pause());
  w.vsock = Kind::KERNEL;
  w.host.fate.decree(Fault::CALL_FAILS_LATE);
  w.host.fate.decree(Fault::CALL_FAILS_LATE);
  w.host.fate.decree(Fault::CALL_FAILS_LATE);
  const auto failure =
      kj::runCatchingExceptions([&]() { w.within(isPause ? w.vm->pause() : w.vm->resume()); });
  w.pass(2 * kj::MINUTES);
  CHECK(w.machine().isPaused() == w.vm->isPaused());
  if (failure != nullptr) CHECK(w.vm->isPaused() != isPause);
  w.within(w.vm->resume());
  CHECK(w.answers(*w.vm));
}

TEST_CASE("P58 a machine that is paused can be ended, and its QEMU's death is heard") {
  World w;
  w.within(w.vm->pause());
  SECTION("ended") {
    w.within(w.vm->destroy());
    CHECK(w.within(w.vm->onEnd()) == VmEnd::DESTROYED);
  }
  SECTION("its QEMU is killed") {
    w.host.machinery.endMachine("one", VmEnd::EXITED);
    CHECK(w.within(w.vm->onEnd()) == VmEnd::EXITED);
  }
  CHECK_FALSE(w.host.machinery.lives("one"));
}

}  // namespace
}  // namespace bothy
