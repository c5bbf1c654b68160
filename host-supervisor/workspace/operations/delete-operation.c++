#include "workspace/operations/delete-operation.h"

#include <kj/debug.h>

namespace bothy {

WorkspaceJournal::Rows DeleteOperation::beginning(const Site& site, Of of) {
  return site.journal.beginning(OperationKind::DELETE, FIRST_STEP, parametersOf(of));
}

kj::Promise<Operation::Settled> DeleteOperation::settle(kj::Maybe<kj::Exception> failure) {
  // Every step is tried until it succeeds.
  KJ_IF_MAYBE (e, failure) kj::throwFatalException(kj::mv(*e));
  auto turn =
      co_await site.journal.remove(of == Of::FAILED_CREATION ? Cause::RECOVERED : Cause::REQUEST);
  site.listener.deleted();
  co_return Settled{kj::mv(turn), nullptr};
}

}  // namespace bothy
