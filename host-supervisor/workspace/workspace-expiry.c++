// A workspace of which only what it is made of is kept.

#include <kj/debug.h>

#include "workspace/operations/expire-operation.h"
#include "workspace/operations/stored-operation.h"
#include "workspace/workspace.h"

namespace bothy {

kj::Promise<Workspace::Turn> Workspace::beginExpiry(Turn turn, kj::String actor,
                                                    kj::Maybe<kj::String> whyIdle) {
  const auto cause = whyIdle == nullptr ? Cause::REQUEST : Cause::IDLE;
  const auto of = whyIdle == nullptr ? Erasure::Of::WORKSPACE : Erasure::Of::UNUSED;
  co_await journal.transition(askedBy(actor, ExpireOperation::beginning(site, of)), cause,
                              kj::mv(whyIdle).orDefault(kj::String()));
  begin(storedOperation(site));
  co_return kj::mv(turn);
}

kj::Promise<Workspace::ExpireOutcome> Workspace::expire(kj::StringPtr actor,
                                                        kj::Maybe<ByRule> rule) {
  auto self = addRef();
  auto turn = co_await journal.takeTurn();
  switch (replyTo(Wish::EXPIRE, state())) {
    case Reply::ALREADY:
      co_return Expired();
    case Reply::BUSY:
    case Reply::SUPERSEDE:
      co_return Busy{state()};
    case Reply::BEGIN:
      if (row().damage.size() > 0) co_return NotExpired{kj::str(row().damage)};
      if (!isDue(rule)) co_return Busy{state()};
      turn = co_await keepOn(beginExpiry(kj::mv(turn), kj::str(actor), detailOf(rule)));
      break;
    case Reply::JOIN:
      if (runner.current() == nullptr) co_return Busy{state()};
      break;
  }
  auto operation = underWay<ExpireOperation>();
  auto ending = endWithin(world.deadlines.call, *operation);
  turn = nullptr;
  auto ended = co_await ending;
  if (ended == nullptr) co_return underwayOf(*operation);
  KJ_IF_MAYBE (kind, KJ_ASSERT_NONNULL(ended).supersededBy) co_return supersededBy(*kind);
  co_return Expired();
}

Workspace::Making Workspace::making() const {
  KJ_IF_MAYBE (operation, journal.operation()) {
    if (CreateOperation::isOfExpired(*operation)) return Making::ANEW;
    if (operationKind(operation->kind) == OperationKind::CREATE) return Making::FIRST;
    KJ_IF_MAYBE (way, StartOperation::wayOf(*operation)) {
      if (*way == StartOperation::Way::CREATION) return Making::FIRST;
      if (*way == StartOperation::Way::RECREATION) return Making::ANEW;
    }
  }
  return Making::NONE;
}

WorkspaceJournal::Rows Workspace::starting() {
  if (state() == WorkspaceState::EXPIRED) return CreateOperation::beginningAgain(site);
  return StartOperation::beginning(site, StartOperation::Way::REQUEST);
}

}  // namespace bothy
