// The real driver, over a host in memory and in virtual time: vsock devices that do not live long.
#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "simulation/driver-bed.h"
#include "vm/vsock-replacement.h"

namespace bothy {
namespace {

// One machine.
struct World: public Bed {
  kj::Own<RunningVm> vm;

  World() {
    begin();
    vm = start("one");
    pass(5 * kj::SECONDS);
  }
  // How long it takes from the end of a device until another is there.
  kj::Duration replacement() {
    const auto before = witness.restored;
    const auto begin = timer.now();
    host.machinery.loseDevice("one");
    while (witness.restored == before) {
      scope.poll();
      if (witness.restored != before) break;
      timer.advanceTo(KJ_REQUIRE_NONNULL(timer.nextEvent(), "it is not replaced"));
    }
    return timer.now() - begin;
  }
};

// Longest that a replacement takes here besides its pause.
constexpr kj::Duration REPLACEMENT = 1900 * kj::MILLISECONDS;

TEST_CASE("P09 S16 a vsock device that dies again and again is replaced more and more seldom") {
  World w;
  CHECK(w.replacement() < REPLACEMENT);
  auto pause = 1 * kj::SECONDS;
  for (int i = 0; i < 9; i++) {
    w.pass(1 * kj::SECONDS);
    const auto taken = w.replacement();
    INFO(taken / kj::MILLISECONDS << " ms, the pause is " << pause / kj::MILLISECONDS);
    CHECK(taken >= pause);
    CHECK(taken < pause + REPLACEMENT);
    pause = kj::min(pause * 2, 60 * kj::SECONDS);
  }
  CHECK(pause == 60 * kj::SECONDS);

  // One that has served for a minute is replaced at once, and the pauses begin anew.
  w.pass(60 * kj::SECONDS);
  CHECK(w.replacement() < REPLACEMENT);
  w.pass(1 * kj::SECONDS);
  CHECK(w.replacement() < 1 * kj::SECONDS + REPLACEMENT);

  // A guest that ends its device all the time makes some 60 of them in an hour.
  const auto before = w.witness.lost;
  for (auto end = w.timer.now() + 1 * kj::HOURS; w.timer.now() < end;) w.replacement();
  CHECK(w.witness.lost - before <= 70);
}

TEST_CASE(
    "P09 S16 a vsock device that cannot be replaced is told once, and tried for until one is "
    "there") {
  World w;
  for (uint i = 0; i < VSOCK_QUICK_TRIES; i++) w.host.fate.decree(Fault::DEVICE_FAILS);
  w.replacement();
  CHECK(w.witness.lost == 1);
  CHECK(w.witness.notRestored == 1);
  CHECK(w.answers(*w.vm));
}

}  // namespace
}  // namespace bothy
