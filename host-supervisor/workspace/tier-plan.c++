#include "workspace/tier-plan.h"

namespace bothy {

PresentFigures presentFigures(const WorkspaceRow& row, kj::Maybe<const MachineRow&> running) {
  KJ_IF_MAYBE (machine, running) {
    if (machine->cpus > 0) return {machine->cpus, machine->memoryMib};
  }
  return {row.cpus, row.memoryMib};
}

TierPlan planTier(const WorkspaceRow& row, kj::Maybe<const MachineRow&> running, const Tier& before,
                  const Tier& after, const TierWish& wish) {
  using Figure = TierPlan::Figure;
  using When = TierPlan::When;
  TierPlan plan;
  auto change = [&plan](Figure figure, uint64_t from, uint64_t to, When when) {
    if (from != to) plan.changes.add(TierPlan::Change{figure, from, to, when});
  };
  const auto present = presentFigures(row, running);
  change(Figure::CPUS, present.cpus, after.cpus, When::NEXT_START);
  change(Figure::MEMORY_MIB, present.memoryMib, after.memoryMib, When::NEXT_START);
  if (after.diskMib < row.promisedDiskMib()) {
    change(Figure::DISK_MIB, row.promisedDiskMib(), after.diskMib, When::NEVER);
    if (!wish.keepsDisk) {
      plan.refusal =
          kj::str("the tier ", after.name, " has a disk of ", after.diskMib,
                  " MiB: a disk never shrinks, and this one has ", row.promisedDiskMib(),
                  "; keep the disk and change the rest, or copy what is in it to a new workspace");
    }
  } else {
    change(Figure::DISK_MIB, row.diskMib, after.diskMib, When::NEXT_START);
  }
  change(Figure::SESSIONS, before.sessions, after.sessions, When::NOW);
  change(Figure::READ_BYTES, uint64_t{before.readMib} << 20, uint64_t{after.readMib} << 20,
         When::NOW);
  change(Figure::WRITE_BYTES, uint64_t{before.writeMib} << 20, uint64_t{after.writeMib} << 20,
         When::NOW);
  change(Figure::READ_OPERATIONS, before.readOperations, after.readOperations, When::NOW);
  change(Figure::WRITE_OPERATIONS, before.writeOperations, after.writeOperations, When::NOW);
  return plan;
}

void TierPlan::delayIo() {
  for (auto& change : changes) {
    if (change.figure >= Figure::READ_BYTES) change.when = When::NEXT_START;
  }
}

WorkspaceRow withTier(const WorkspaceRow& row, const Tier& tier) {
  auto next = row.clone();
  next.tier = kj::str(tier.name);
  next.cpus = tier.cpus;
  next.memoryMib = tier.memoryMib;
  if (tier.diskMib > row.promisedDiskMib()) next.nextDiskMib = tier.diskMib;
  return next;
}

}  // namespace bothy
