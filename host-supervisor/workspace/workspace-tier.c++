// The tier of a workspace that rests.

#include <kj/debug.h>

#include "loop/failure-of.h"
#include "workspace/host-room.h"
#include "workspace/machine-spec.h"
#include "workspace/workspace.h"

namespace bothy {
namespace {

// QEMU answers in milliseconds.
constexpr kj::Duration IO_CALL_LIMIT = 10 * kj::SECONDS;

}  // namespace

kj::Maybe<const MachineRow&> Workspace::runningMachine() const {
  if (!mayRun(state())) return nullptr;
  return journal.machine().map([](const MachineRow& row) -> const MachineRow& { return row; });
}

kj::Promise<bool> Workspace::limitIo() {
  for (;;) {
    auto running = machineAtHand();
    // One that runs and is not reached has them when it is taken over.
    if (running == nullptr) co_return !isUp(state());
    const auto limits = ioLimitsOf(world, row());
    auto failure = co_await failureOf([&]() {
      return within(world.timer, IO_CALL_LIMIT, "the limits of the disk could not be set",
                    KJ_ASSERT_NONNULL(running)->limitIo(limits));
    });
    KJ_IF_MAYBE (e, failure) {
      KJ_LOG(ERROR, "a machine has not the limits of its tier", row().name, row().id, row().tier,
             e->getDescription());
      co_return false;
    }
    // Another tier may have come meanwhile, whose limits QEMU may have heard of first.
    if (limits == ioLimitsOf(world, row())) co_return true;
  }
}

kj::Promise<bool> Workspace::storeTier(Turn turn, WorkspaceJournal::Rows next, kj::String actor) {
  auto detail = kj::str("its tier is ", next.row.tier, ": from its next start on ", next.row.cpus,
                        next.row.cpus == 1 ? " processor, " : " processors, ", next.row.memoryMib,
                        " MiB of memory and a disk of ", next.row.promisedDiskMib(), " MiB");
  co_await journal.transition(kj::mv(next), Cause::REQUEST, kj::mv(detail), nullptr, kj::mv(actor));
  // A QEMU that hangs holds up no stop.
  turn = nullptr;
  co_return co_await limitIo();
}

kj::Promise<Workspace::TierOutcome> Workspace::changeTier(Tier tier, Tier before, TierWish wish,
                                                          kj::StringPtr actor) {
  auto self = addRef();
  auto turn = co_await journal.takeTurn();
  if (row().damage.size() > 0) co_return InvalidTier{kj::str(row().damage)};
  if (journal.operation() != nullptr || journal.isRemoved()) co_return Busy{state()};
  auto plan = planTier(row(), runningMachine(), before, tier, wish);
  if (!wish.isApplied || plan.refusal.size() > 0) co_return kj::mv(plan);

  auto next = journal.rows().clone();
  next.row = withTier(row(), tier);
  if (next.row.promisedDiskMib() > row().promisedDiskMib()) {
    KJ_IF_MAYBE (shortage, co_await shortageOfRoom(world, capacity)) co_return kj::mv(*shortage);
  }
  KJ_IF_MAYBE (shortage, journal.admit(next)) co_return kj::mv(*shortage);
  if (!co_await keepOn(storeTier(kj::mv(turn), kj::mv(next), kj::str(actor)))) plan.delayIo();
  co_return TierChanged{kj::mv(plan)};
}

}  // namespace bothy
