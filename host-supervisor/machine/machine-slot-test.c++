#include "machine/machine-slot.h"

#include <kj/debug.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "machine/test-slot.h"

namespace bothy {
namespace {

TEST_CASE("S20 a machine that is removed later keeps its row until its disk is root's again") {
  SlotWorld w;
  w.slot->retire();
  w.driver.failRemovals(1);
  w.reclaimsToFail = 1;
  w.slot->removeLater();
  w.settle();
  CHECK(w.driver.isRunning("id"));
  CHECK(w.reclaims == 0);
  w.later();
  CHECK_FALSE(w.driver.isRunning("id"));
  CHECK(w.reclaims == 1);
  CHECK(w.row != nullptr);
  CHECK_FALSE(w.slot->isEmpty());
  w.later();
  CHECK(w.row == nullptr);
  CHECK(w.slot->isEmpty());
}

TEST_CASE("S20 a disk that cannot be taken from its machine does not free the machine's lease") {
  SlotWorld w;
  w.reclaimsToFail = 1;
  CHECK_FALSE(w.slot->reclaimDisk().wait(w.scope));
  CHECK(w.slot->reclaimDisk().wait(w.scope));
}

TEST_CASE("a machine is ended within a deadline, or it is told that it is not") {
  SlotWorld w;
  w.driver.failRemovals(1);
  CHECK_FALSE(w.slot->tryToEnd().wait(w.scope));
  CHECK(w.driver.isRunning("id"));
  CHECK(w.slot->tryToEnd().wait(w.scope));
  CHECK_FALSE(w.driver.isRunning("id"));
  CHECK(w.slot->current() != nullptr);
}

TEST_CASE("S20 a machine that is given up is retired, and what may be left of it is removed") {
  using Left = MachineSlot::Left;
  SlotWorld w;
  auto machine = kj::addRef(KJ_ASSERT_NONNULL(w.slot->current()));
  bool isLeft = true;
  SECTION("nothing is left") {
    w.driver.end("id", VmEnd::POWERED_OFF);
    CHECK(w.slot->giveUp(Left::NOTHING).wait(w.scope));
    CHECK(w.reclaims == 1);
    isLeft = false;
  }
  SECTION("it may run") {
    CHECK_FALSE(w.slot->giveUp(Left::PERHAPS).wait(w.scope));
  }
  SECTION("its disk is not root's") {
    w.driver.end("id", VmEnd::POWERED_OFF);
    w.reclaimsToFail = 1;
    CHECK_FALSE(w.slot->giveUp(Left::NOTHING).wait(w.scope));
  }
  CHECK(machine->isRetired());
  w.settle();
  CHECK_FALSE(w.driver.isRunning("id"));
  CHECK(w.slot->isEmpty());
  // Which the caller releases, if nothing was left.
  CHECK((w.row != nullptr) == !isLeft);
}

TEST_CASE("S20 what was barred for a machine without a row is free once its disk is root's") {
  SlotWorld w;
  w.row = nullptr;
  w.leases.barAll("id", kj::str("its record is damaged"));
  w.reclaimsToFail = 1;
  CHECK_FALSE(w.slot->reclaimDisk().wait(w.scope));
  CHECK(w.leases.take().is<MachineLeases::NoneFree>());
  CHECK(w.slot->reclaimDisk().wait(w.scope));
  CHECK(w.leases.take().is<kj::Own<MachineLeases::Lease>>());
}

TEST_CASE("P41 the slot of another bothyd takes over a machine that has a row, and no other") {
  SlotWorld w;
  w.slot = w.newSlot();
  CHECK(w.slot->isEmpty());
  SECTION("it runs") {
    CHECK(w.slot->adopt().wait(w.scope));
    KJ_ASSERT_NONNULL(w.slot->current()).control().wait(w.scope);
  }
  SECTION("it has ended") {
    w.driver.end("id", VmEnd::EXITED);
    CHECK_FALSE(w.slot->adopt().wait(w.scope));
    CHECK(w.slot->current() == nullptr);
  }
  SECTION("it has no row") {
    w.row = nullptr;
    CHECK_FALSE(w.slot->adopt().wait(w.scope));
    CHECK(w.slot->current() == nullptr);
  }
}

TEST_CASE("the end of a machine is reported once, and not of one that is forgotten") {
  SlotWorld w;
  const bool isForgotten = GENERATE(false, true);
  if (isForgotten) w.slot->forget();
  w.driver.end("id", VmEnd::CRASHED);
  w.settle();
  if (isForgotten) {
    CHECK(w.ends.size() == 0);
  } else {
    REQUIRE(w.ends.size() == 1);
    CHECK(w.ends[0] == VmEnd::CRASHED);
  }
}

}  // namespace
}  // namespace bothy
