// What calls that change the figures of a workspace are held to.

#include <kj/debug.h>

#include "simulation/clients.h"

namespace bothy {

kj::Promise<void> Clients::resize(kj::String who, kj::String name, uint32_t growMib) {
  auto found = bothyd.manager().find(name);
  if (found == nullptr) co_return;
  auto& workspace = *KJ_ASSERT_NONNULL(found);
  auto& row = workspace.row();
  if (replyTo(Wish::RESIZE, workspace.state()) != Reply::BEGIN) co_return;
  auto wanted = row.promisedDiskMib() + growMib;
  host.trace.line(who, "resize ", host.label(row.id), " from ", row.diskMib, " to ", wanted,
                  " MiB");
  ledger.resizeAsked(row, wanted);
  // As SupervisorFacet does it.
  const auto most = bothyd.manager().mostDiskMib(row);
  auto outcome = co_await workspace.resize(wanted, most, who);
  if (!isHeard()) co_return;
  KJ_SWITCH_ONEOF(outcome) {
    KJ_CASE_ONEOF(resized, Workspace::Resized) {
      host.trace.line(who, "is told: resized to ", wanted, " MiB");
      auto& facts = ledger.of(row);
      facts.diskMib = kj::max(facts.diskMib, wanted);
    }
    KJ_CASE_ONEOF(invalid, Workspace::InvalidSize) {
      // A larger tier may have come before it, or it has one that has no more.
      if (wanted >= row.promisedDiskMib() && wanted <= most.orDefault(wanted)) {
        host.judge.accuse("a good size is refused: ", invalid.why);
      }
      ledger.resizeRefused(row, wanted);
    }
    KJ_CASE_ONEOF(failure, Workspace::ResizeFailure) {
      host.trace.line(who, "is told: not resized, ", failure.why);
      ledger.resizeRefused(row, wanted);
    }
    KJ_CASE_ONEOF(superseded, Superseded) {
      host.trace.line(who, "is told: superseded");
    }
    KJ_CASE_ONEOF(busy, Busy) {
      host.trace.line(who, "is told: busy");
      ledger.resizeRefused(row, wanted);
    }
    KJ_CASE_ONEOF(underway, Underway) {
      examine(who, underway);
    }
    KJ_CASE_ONEOF(shortage, Shortage) {
      examine(who, shortage);
      ledger.resizeRefused(row, wanted);
    }
  }
}

kj::Promise<void> Clients::changeTier(kj::String who, kj::String name) {
  auto found = bothyd.manager().find(name);
  if (found == nullptr) co_return;
  auto& workspace = *KJ_ASSERT_NONNULL(found);
  auto& row = workspace.row();
  auto tiers = bothyd.manager().tiers().all();
  auto& tier = tiers[host.fate.below(tiers.size())];
  TierWish wish;
  wish.isApplied = !host.fate.oneIn(4);
  wish.keepsDisk = host.fate.oneIn(2);
  host.trace.line(who, "change the tier of ", host.label(row.id), " to ", tier.name);
  if (wish.isApplied) ledger.resizeAsked(row, tier.diskMib);
  const auto cpus = tier.cpus;
  const auto tierName = kj::str(tier.name);
  auto outcome = co_await bothyd.manager().changeTier(name, tierName, wish, who);
  if (!isHeard()) co_return;
  KJ_IF_MAYBE (changed, outcome.tryGet<Workspace::TierChanged>()) {
    host.trace.line(who, "is told: changed");
    if (!wish.isApplied) host.judge.accuse("a plan is carried out");
    if (changed->plan.refusal.size() > 0) host.judge.accuse("what is refused is done");
    KJ_IF_MAYBE (stored, host.store.row(row.id)) {
      // Unless somebody else has changed it since.
      if (stored->tier == tierName && stored->cpus != cpus) {
        host.judge.accuse("the tier of ", host.label(row.id), " is stored without its figures");
      }
    }
  } else KJ_IF_MAYBE (shortage, outcome.tryGet<Shortage>()) {
    examine(who, *shortage);
  } else if (outcome.is<Workspace::InvalidTier>()) {
    if (row.damage.size() == 0) host.judge.accuse("a good tier is refused");
  }
}

}  // namespace bothy
