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
      // What is on the host of one that is damaged is left as it is.
      if (row().damage.size() > 0) co_return Busy{state()};
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

WorkspaceJournal::Rows Workspace::starting() {
  if (state() == WorkspaceState::EXPIRED) return CreateOperation::beginningAgain(site);
  return StartOperation::beginning(site, StartOperation::Way::REQUEST);
}

}  // namespace bothy
