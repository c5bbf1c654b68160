#include "machine/machine-slot.h"

#include <kj/debug.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "machine/test-machines.h"

namespace bothy {
namespace {

struct CountingRandomness final: public Randomness {
  kj::byte next = 1;
  void fill(kj::ArrayPtr<kj::byte> bytes) override {
    for (auto& byte : bytes) byte = next++;
  }
};

struct FixedClock final: public kj::Clock {
  kj::Date now() const override { return kj::UNIX_EPOCH + 1000 * kj::DAYS; }
};

// What has a machine, and a lease for it.
struct SlotWorld: public TestMachines, private MachineSlot::Owner {
  MachineDeadlines deadlines;
  CountingRandomness randomness;
  FixedClock clock;
  MachineLeases leases{timer, clock, MachineLeases::Range()};
  kj::Maybe<MachineRow> row;
  uint32_t reclaimsToFail = 0;
  kj::uint reclaims = 0;
  kj::Vector<VmEnd> ends;
  kj::Own<MachineSlot> slot = newSlot();

  SlotWorld() {
    MachineRow lease{700000, FIRST_CID, kj::str("id")};
    lease.secret = slot->newSecret();
    row = kj::mv(lease);
    slot->take(driver.start(specToAdopt()).wait(scope));
    slot->watch();
  }

  kj::Own<MachineSlot> newSlot() {
    return kj::heap<MachineSlot>(MachineWorld{driver, randomness, timer, deadlines}, owner(),
                                 leases, "id", "demo");
  }

  void later() {
    settle();
    advance(deadlines.retry.most);
    settle();
  }

private:
  MachineSlot::Owner& owner() { return *this; }
  const kj::Maybe<MachineRow>& machineRow() const override { return row; }
  kj::Promise<void> removeMachineRow() override {
    row = nullptr;
    return kj::READY_NOW;
  }
  VmSpec specToAdopt() override {
    VmSpec spec{};
    spec.name = kj::str("id");
    spec.secret = kj::heapArray<kj::byte>(KJ_ASSERT_NONNULL(row).secret);
    return spec;
  }
  kj::Promise<void> reclaimDisk() override {
    ++reclaims;
    if (reclaimsToFail == 0) return kj::READY_NOW;
    --reclaimsToFail;
    return KJ_EXCEPTION(FAILED, "the disk hangs");
  }
  kj::Promise<void> ended(VmEnd end) override {
    ends.add(end);
    return kj::READY_NOW;
  }
  void slotChanged() override {}
};

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
