#include "workspace/operations/expire-operation.h"

#include <kj/debug.h>

namespace bothy {

WorkspaceJournal::Rows ExpireOperation::beginning(const Site& site, Of of) {
  return site.journal.beginning(OperationKind::EXPIRE, FIRST_STEP, parametersOf(of));
}

kj::Promise<Operation::Settled> ExpireOperation::settle(kj::Maybe<kj::Exception> failure) {
  // Every step is tried until it succeeds.
  KJ_IF_MAYBE (e, failure) kj::throwFatalException(kj::mv(*e));
  const bool isReleased = co_await site.machine.giveUp(MachineSlot::Left::NOTHING);
  auto next = [this, isReleased]() {
    auto rows = site.journal.ending(OperationKind::EXPIRE, Outcome::SUCCEEDED);
    // Its next disk is set up from the first step on.
    rows.row.setupDone = 0;
    rows.row.setupFailure = nullptr;
    if (isReleased) rows.machine = nullptr;
    return rows;
  };
  auto cause = Cause::REQUEST;
  if (of == Of::FAILED_CREATION) cause = Cause::RECOVERED;
  if (of == Of::UNUSED) cause = Cause::IDLE;
  auto turn = co_await site.journal.settle(
      kj::mv(next), cause,
      kj::str("its disk and its key are destroyed; what it is made of is kept"));
  co_return Settled{kj::mv(turn), nullptr};
}

}  // namespace bothy
