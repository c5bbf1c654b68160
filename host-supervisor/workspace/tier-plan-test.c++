#include "workspace/tier-plan.h"

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

using Figure = TierPlan::Figure;
using When = TierPlan::When;

Tier tier(kj::StringPtr name) {
  const TierTable table;
  return KJ_ASSERT_NONNULL(table.find(name)).clone();
}

WorkspaceRow rowOf(const Tier& tier) {
  WorkspaceRow row;
  row.tier = kj::str(tier.name);
  row.cpus = tier.cpus;
  row.memoryMib = tier.memoryMib;
  row.diskMib = tier.diskMib;
  return row;
}

bool has(const TierPlan& plan, size_t i, Figure figure, uint64_t before, uint64_t after,
         When when) {
  auto& change = plan.changes[i];
  return change.figure == figure && change.before == before && change.after == after &&
         change.when == when;
}

TEST_CASE("P53 a larger tier counts from the next start on, but for the sessions") {
  auto plan = planTier(rowOf(tier("free")), nullptr, tier("free"), tier("pro"), {});
  CHECK(plan.refusal == "");
  REQUIRE(plan.changes.size() == 4);
  CHECK(has(plan, 0, Figure::CPUS, 1, 2, When::NEXT_START));
  CHECK(has(plan, 1, Figure::MEMORY_MIB, 512, 2048, When::NEXT_START));
  CHECK(has(plan, 2, Figure::DISK_MIB, 2048, 10240, When::NEXT_START));
  CHECK(has(plan, 3, Figure::SESSIONS, 1, 3, When::NOW));
  auto next = withTier(rowOf(tier("free")), tier("pro"));
  CHECK((next.tier == "pro" && next.cpus == 2 && next.memoryMib == 2048));
  CHECK((next.diskMib == 2048 && next.nextDiskMib == 10240));
}

TEST_CASE("P53 a smaller disk is refused, or kept while the rest changes") {
  auto plan = planTier(rowOf(tier("pro")), nullptr, tier("pro"), tier("free"), {});
  CHECK(plan.refusal ==
        "the tier free has a disk of 2048 MiB: a disk never shrinks, and this one has 10240; keep "
        "the disk and change the rest, or copy what is in it to a new workspace");
  REQUIRE(plan.changes.size() == 4);
  CHECK(has(plan, 2, Figure::DISK_MIB, 10240, 2048, When::NEVER));
  TierWish wish;
  wish.keepsDisk = true;
  CHECK(planTier(rowOf(tier("pro")), nullptr, tier("pro"), tier("free"), wish).refusal == "");
  auto next = withTier(rowOf(tier("pro")), tier("free"));
  CHECK((next.tier == "free" && next.cpus == 1 && next.memoryMib == 512));
  CHECK((next.diskMib == 10240 && next.nextDiskMib == 0));
  // One that is promised, and not made yet, does not shrink either.
  auto pending = rowOf(tier("free"));
  pending.nextDiskMib = 10240;
  CHECK(planTier(pending, nullptr, tier("pro"), tier("free"), {}).refusal.size() > 0);
  CHECK(withTier(pending, tier("free")).nextDiskMib == 10240);
}

TEST_CASE(
    "a machine that runs has what it was started with, and the tier that it has changes nothing") {
  auto row = rowOf(tier("pro"));
  CHECK(planTier(row, nullptr, tier("pro"), tier("pro"), {}).changes.size() == 0);
  MachineRow machine;
  machine.cpus = 1;
  machine.memoryMib = 512;
  auto plan = planTier(row, machine, tier("pro"), tier("pro"), {});
  REQUIRE(plan.changes.size() == 2);
  CHECK(has(plan, 0, Figure::CPUS, 1, 2, When::NEXT_START));
  // What its disk may do changes at once.
  TierTable table;
  REQUIRE(table.set("pro", "write=50 read-operations=100") == nullptr);
  plan = planTier(row, nullptr, tier("pro"), KJ_ASSERT_NONNULL(table.find("pro")), {});
  REQUIRE(plan.changes.size() == 2);
  CHECK(has(plan, 0, Figure::WRITE_BYTES, 0, 50 << 20, When::NOW));
  CHECK(has(plan, 1, Figure::READ_OPERATIONS, 0, 100, When::NOW));
  plan.delayIo();
  CHECK(has(plan, 0, Figure::WRITE_BYTES, 0, 50 << 20, When::NEXT_START));
  // Of one without a tier.
  Tier none;
  none.sessions = 16;
  plan = planTier(row, nullptr, none, tier("pro"), {});
  REQUIRE(plan.changes.size() == 1);
  CHECK(has(plan, 0, Figure::SESSIONS, 16, 3, When::NOW));
}

}  // namespace
}  // namespace bothy
