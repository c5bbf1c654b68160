#pragma once

#include <kj/debug.h>

#include "machine/machine-slot.h"
#include "machine/test-machines.h"

namespace bothy {

// Predictable, and never the same twice.
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
  void happened(Cause, kj::StringPtr) override {}
  void slotChanged() override {}
};

}  // namespace bothy
