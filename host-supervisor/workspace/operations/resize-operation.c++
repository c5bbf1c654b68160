#include "workspace/operations/resize-operation.h"

#include <kj/debug.h>

#include "workspace/steps.h"

namespace bothy {
namespace {

constexpr uint64_t MEBIBYTE = 1024 * 1024;
// Times that the size of a disk is asked for, some minutes in all.
constexpr uint32_t SIZE_CHECKS = 8;

constexpr Step STEPS[] = {
    // Of a start that failed, or of a machine that could not be taken over: while there is one, its disk is not to be touched.
    {"clear"_kj, Step::OnFailure::TRY_AGAIN, Step::Storing::FIRST,
     "the machine could not be ended"_kj},
    {"grow"_kj, Step::OnFailure::END, Step::Storing::FIRST, "the disk could not be made larger"_kj},
};
enum { CLEAR, GROW };

}  // namespace

WorkspaceJournal::Rows ResizeOperation::beginning(const Site& site, uint32_t wantedMib) {
  return site.journal.beginning(OperationKind::RESIZE, STEPS[CLEAR].name, kj::str(wantedMib));
}

ResizeOperation::ResizeOperation(const Site& site, kj::StringPtr parameters)
    : site(site), wantedMib(parameters.parseAs<uint32_t>()) {}

kj::ArrayPtr<const Step> ResizeOperation::steps() const {
  return STEPS;
}

kj::Maybe<kj::Duration> ResizeOperation::limitOf(size_t step) const {
  return step == CLEAR ? site.world.deadlines.destroyVm : site.world.deadlines.disk;
}

kj::Promise<void> ResizeOperation::run(size_t step) {
  if (step == CLEAR) return site.machine.remove();
  return site.world.volumes.grow(site.journal.row().id, wantedMib * MEBIBYTE);
}

kj::Promise<Operation::Settled> ResizeOperation::settle(kj::Maybe<kj::Exception> failure) {
  auto cause = Cause::REQUEST;
  auto detail = kj::str("its disk has ", wantedMib, " MiB");
  auto size = wantedMib;
  KJ_IF_MAYBE (e, failure) {
    if (!co_await hasGrownLater()) {
      cause = Cause::RESIZE_FAILED;
      detail = lineOf(*e);
      size = site.journal.row().diskMib;
      outcome = Failure{kj::str(detail), e->getType() == kj::Exception::Type::OVERLOADED};
    }
  }
  const bool isReleased = co_await site.machine.giveUp(MachineSlot::Left::NOTHING);
  auto next = [this, size, isReleased, isGrown = outcome == nullptr]() {
    auto rows =
        site.journal.ending(OperationKind::RESIZE, isGrown ? Outcome::SUCCEEDED : Outcome::FAILED);
    rows.row.diskMib = size;
    if (isGrown) rows.row.nextDiskMib = 0;
    if (isReleased) rows.machine = nullptr;
    return rows;
  };
  auto turn = co_await site.journal.settle(next, cause, kj::mv(detail));
  co_return Settled{kj::mv(turn), nullptr};
}

// A growth that took too long may have been carried out all the same.  The store carries out one call after
// the other, so what it finds now is what stays.
kj::Promise<bool> ResizeOperation::hasGrownLater() {
  auto pauses = site.world.pauses();
  for (uint32_t i = 0; i < SIZE_CHECKS; i++) {
    if (co_await hasSize(site.journal.row().diskMib)) co_return false;
    if (co_await hasSize(wantedMib)) co_return true;
    co_await pauses.next();
  }
  // The disk is broken, and the next start says in which way.
  KJ_LOG(ERROR, "how large a workspace's disk is cannot be found", site.journal.row().name,
         site.journal.row().id);
  co_return false;
}

kj::Promise<bool> ResizeOperation::hasSize(uint32_t mib) {
  auto& world = site.world;
  return within(world.timer, world.deadlines.disk, "the disk could not be examined",
                kj::evalNow(
                    [&]() { return world.volumes.check(site.journal.row().id, mib * MEBIBYTE); }))
      .then([]() { return true; }, [](kj::Exception&&) { return false; });
}

}  // namespace bothy
