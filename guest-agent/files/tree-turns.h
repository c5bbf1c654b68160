#pragma once

#include <kj/refcount.h>
#include <kj/timer.h>
#include <kj/vector.h>

#include "wire/places.h"

namespace bothy {

// How long a transfer of a tree waits for others of the machine to end.
constexpr kj::Duration TREE_TRANSFER_WAIT = 60 * kj::SECONDS;

// The turns of one lane's trees to be packed and unpacked.  One at a time is the lane's own, whatever other lanes' clients leave unread;
// each more takes a place of those that all lanes share.
class TreeTurns final: public kj::Refcounted {
public:
  // `timer` outlives it.
  TreeTurns(kj::Timer& timer, kj::Own<Places> shared) : timer(timer), shared(kj::mv(shared)) {}
  KJ_DISALLOW_COPY_AND_MOVE(TreeTurns);

  // For as long as it is kept a tree is under way.  Fails with OVERLOADED where there is none within TREE_TRANSFER_WAIT.
  kj::Promise<kj::Own<void>> next();

private:
  using Place = Places::Place;

  kj::Timer& timer;
  kj::Own<Places> shared;
  kj::Own<Places> own = kj::refcounted<Places>(1);
  kj::Maybe<kj::Own<Place>> ownTaken;
  kj::Vector<kj::Own<Place>> sharedTaken;

  kj::Own<void> begin();
  void end();
};

}  // namespace bothy
