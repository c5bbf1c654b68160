#include "files/tree-turns.h"

#include <kj/debug.h>

namespace bothy {

kj::Promise<kj::Own<void>> TreeTurns::next() {
  KJ_IF_MAYBE (place, own->tryTake()) {
    ownTaken = kj::mv(*place);
    co_return begin();
  }
  struct Found {
    kj::Own<Place> place;
    bool isOwn;
  };
  auto ofLane = own->take().then([](kj::Own<Place>&& place) { return Found{kj::mv(place), true}; });
  auto ofAll =
      shared->take().then([](kj::Own<Place>&& place) { return Found{kj::mv(place), false}; });
  auto tooLong = timer.afterDelay(TREE_TRANSFER_WAIT).then([this]() -> Found {
    kj::throwFatalException(KJ_EXCEPTION(
        OVERLOADED,
        "as many trees are packed and unpacked in this workspace as may (maxTreeTransfers)",
        shared->limit));
  });
  auto found = co_await ofLane.exclusiveJoin(kj::mv(ofAll)).exclusiveJoin(kj::mv(tooLong));
  if (found.isOwn) {
    ownTaken = kj::mv(found.place);
  } else {
    sharedTaken.add(kj::mv(found.place));
  }
  co_return begin();
}

kj::Own<void> TreeTurns::begin() {
  return kj::heap(kj::defer([turns = kj::addRef(*this)]() mutable { turns->end(); }));
}

void TreeTurns::end() {
  // Whichever tree has ended, those that go on need one place less of those that are shared.
  if (sharedTaken.empty()) {
    ownTaken = nullptr;
  } else {
    sharedTaken.removeLast();
  }
}

}  // namespace bothy
