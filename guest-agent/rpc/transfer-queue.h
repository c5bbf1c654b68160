#pragma once

#include <kj/async.h>
#include <kj/function.h>
#include <kj/list.h>

namespace bothy {

// Lets only so many transfers be under way at a time; the others have their turn in the order in which they came.
class TransferQueue final {
public:
  TransferQueue(kj::uint maxUnderWay, kj::uint maxWaiting)
      : maxUnderWay(maxUnderWay), maxWaiting(maxWaiting) {}
  KJ_DISALLOW_COPY_AND_MOVE(TransferQueue);

  // Runs `transfer` in its turn.  Fails with OVERLOADED if as many wait as may.  Dropping the promise, which the queue outlives,
  // gives up the turn, or the place among those that wait.
  kj::Promise<void> run(kj::Function<kj::Promise<void>()> transfer);

private:
  // From its call to its end: it waits, and then it has one of the places.
  class Turn {
  public:
    explicit Turn(TransferQueue& queue);
    // Hands its place over to who waits longest.
    ~Turn() noexcept(false);
    KJ_DISALLOW_COPY_AND_MOVE(Turn);

    // Resolves when it has a place.  Call once.
    kj::Promise<void> begun();

  private:
    TransferQueue& queue;
    bool hasPlace = false;
    kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> waiting;
    kj::ListLink<Turn> link;
    friend class TransferQueue;
  };

  const kj::uint maxUnderWay;
  const kj::uint maxWaiting;
  kj::uint underWay = 0;
  kj::List<Turn, &Turn::link> waiting;
};

}  // namespace bothy
