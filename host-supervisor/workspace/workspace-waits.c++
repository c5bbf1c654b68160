// How calls wait for what is under way.

#include <kj/debug.h>

#include "agent/guest-text.h"
#include "workspace/workspace.h"

namespace bothy {

kj::Promise<void> Workspace::quiet() {
  auto self = addRef();
  co_await journal.takeTurn().ignoreResult();
}

kj::Promise<kj::Maybe<Underway>> Workspace::settled() {
  auto self = addRef();
  co_await journal.takeTurn().ignoreResult();
  KJ_IF_MAYBE (current, runner.current()) {
    auto operation = kj::addRef(*current);
    auto ended = co_await endWithin(world.deadlines.call, *operation);
    if (ended == nullptr) co_return underwayOf(*operation);
  }
  co_return nullptr;
}

kj::Promise<kj::Maybe<Operation::End>> Workspace::endBefore(kj::Promise<void> limit,
                                                            Operation& operation) {
  auto end = operation.onEnd().then(
      [](Operation::End&& e) -> kj::Maybe<Operation::End> { return kj::mv(e); });
  return end.exclusiveJoin(limit.then([]() -> kj::Maybe<Operation::End> { return nullptr; }));
}

kj::Promise<kj::Maybe<Operation::End>> Workspace::endWithin(kj::Duration limit,
                                                            Operation& operation) {
  return endBefore(world.timer.afterDelay(limit), operation);
}

kj::Promise<kj::Maybe<Operation::End>> Workspace::endOnceDecided(Operation& operation) {
  auto limit =
      operation.onDecided().then([this]() { return world.timer.afterDelay(world.deadlines.call); });
  return endBefore(kj::mv(limit), operation);
}

Underway Workspace::underwayOf(Operation& operation) {
  auto why = operation.lastFailure().size() > 0 ? operation.lastFailure() : journal.lastRefusal();
  return {state(), lineOfGuest(why)};
}

}  // namespace bothy
