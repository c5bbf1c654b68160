#include "machine/machine-slot.h"

#include <kj/debug.h>

#include "loop/failure-of.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

// The end of a machine is told though its disk hangs: the lease is released later then.
constexpr kj::Duration RECLAIM_LIMIT = 5 * kj::SECONDS;

}  // namespace

MachineSlot::MachineSlot(MachineWorld world, Owner& owner, MachineLeases& leases,
                         kj::StringPtr name, kj::StringPtr workspace)
    : world(world),
      owner(owner),
      leases(leases),
      name(kj::str(name)),
      workspace(kj::str(workspace)) {}

MachineSlot::~MachineSlot() noexcept(false) {}

kj::Maybe<Machine&> MachineSlot::current() {
  return machine.map([](kj::Own<Machine>& m) -> Machine& { return *m; });
}

void MachineSlot::take(kj::Own<RunningVm> vm) {
  // Another bothyd may have numbered lanes of this boot before.
  uint64_t firstLane;
  world.randomness.fill(kj::arrayPtr(&firstLane, 1).asBytes());
  auto& row = KJ_REQUIRE_NONNULL(owner.machineRow(), "a machine has no lease", name);
  machine = kj::refcounted<Machine>(
      world.timer, workspace, kj::mv(vm), kj::heapArray<kj::byte>(row.secret), firstLane >> 1 | 1,
      [this](Cause cause, kj::StringPtr detail) { owner.happened(cause, detail); });
}

kj::Promise<bool> MachineSlot::adopt() {
  // What it must be known by went with its lease.
  if (owner.machineRow() == nullptr) co_return false;
  auto found =
      co_await within(world.timer, world.deadlines.startVm, "the machine could not be taken over",
                      world.driver.adopt(owner.specToAdopt()));
  KJ_IF_MAYBE (vm, found) {
    take(kj::mv(*vm));
    KJ_ASSERT_NONNULL(machine)->noteAdopted();
    co_return true;
  }
  co_return false;
}

kj::Promise<MachineSlot::Adoption> MachineSlot::tryToAdopt() {
  return adopt().then([](bool isThere) { return Adoption{isThere, nullptr}; },
                      [](kj::Exception&& e) { return Adoption{false, kj::mv(e)}; });
}

void MachineSlot::watch() {
  since = world.timer.now();
  watching =
      KJ_ASSERT_NONNULL(machine)
          ->onEnd()
          .then([this](VmEnd end) { return owner.ended(end); })
          .eagerlyEvaluate([this](kj::Exception&& e) {
            KJ_LOG(ERROR, "a machine is not watched any more", workspace, e.getDescription());
          });
}

void MachineSlot::retire() {
  KJ_IF_MAYBE (m, machine) {
    (*m)->retire();
  }
  machine = nullptr;
  owner.slotChanged();
}

kj::Promise<void> MachineSlot::removeOnce(kj::StringPtr complaint) {
  kj::Maybe<uint32_t> user;
  KJ_IF_MAYBE (lease, owner.machineRow()) {
    // 0: it could not be read.
    if (lease->uid != 0) user = lease->uid;
  }
  return within(world.timer, world.deadlines.destroyVm, complaint, world.driver.remove(name, user));
}

void MachineSlot::forget() {
  watching = nullptr;
  removing = nullptr;
  isRemoving = false;
}

kj::Promise<void> MachineSlot::remove(kj::StringPtr complaint) {
  forget();
  return removeOnce(complaint);
}

void MachineSlot::removeLater() {
  isRemoving = true;
  owner.slotChanged();
  removing = keepRemoving("the machine could not be ended")
                 .then([this]() {
                   isRemoving = false;
                   owner.slotChanged();
                 })
                 .eagerlyEvaluate(nullptr);
}

// A later machine of the same user id must not open it.
kj::Promise<void> MachineSlot::reclaimOnce(kj::Duration limit) {
  return within(world.timer, limit, "the disk could not be taken from its machine",
                owner.reclaimDisk());
}

kj::Promise<bool> MachineSlot::reclaimDisk() {
  auto failure = co_await failureOf([this]() { return reclaimOnce(RECLAIM_LIMIT); });
  KJ_IF_MAYBE (e, failure) {
    KJ_LOG(ERROR, "the user id of a machine that is gone is not free yet", workspace, name,
           e->getDescription());
    co_return false;
  }
  leases.lift(name);
  co_return true;
}

kj::Promise<bool> MachineSlot::tryToEnd() {
  auto ending = kj::addRef(*KJ_ASSERT_NONNULL(machine));
  auto failure = co_await failureOf([&]() {
    return within(world.timer, world.deadlines.destroyVm, "the machine could not be ended",
                  ending->destroy());
  });
  KJ_IF_MAYBE (e, failure) {
    KJ_LOG(ERROR, "a machine is not gone yet", workspace, name, e->getDescription());
  }
  co_return failure == nullptr;
}

kj::Promise<bool> MachineSlot::giveUp(Left left) {
  retire();
  if (left == Left::NOTHING && co_await reclaimDisk()) co_return true;
  removeLater();
  co_return false;
}

kj::Promise<void> MachineSlot::removeInTurn(kj::StringPtr complaint) {
  auto place = co_await leases.removals.take();
  co_await removeOnce(complaint);
  // Also where no lease is known: an earlier bothyd may have given it to a machine.
  co_await reclaimOnce(world.deadlines.destroyVm);
}

kj::Promise<void> MachineSlot::keepRemoving(kj::StringPtr complaint) {
  for (auto pauses = world.pauses();;) {
    auto failure = co_await failureOf([&]() { return removeInTurn(complaint); });
    KJ_IF_MAYBE (e, failure) {
      KJ_LOG(ERROR, "a machine that nobody has is not gone yet; trying again", workspace, name,
             e->getDescription());
      co_await pauses.next();
    } else {
      break;
    }
  }
  leases.lift(name);
  if (owner.machineRow() == nullptr) co_return;
  // One that cannot be released is kept, and the next start keeps it too.
  co_await owner.removeMachineRow().catch_([this](kj::Exception&& e) {
    KJ_LOG(ERROR, "the user id of a machine that is gone cannot be released", workspace, name,
           e.getDescription());
  });
}

kj::Array<const kj::byte> MachineSlot::newSecret() {
  auto secret = kj::heapArray<kj::byte>(rpc::SECRET_BYTES);
  world.randomness.fill(secret);
  return kj::mv(secret);
}

}  // namespace bothy
