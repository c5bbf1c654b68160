#pragma once

#include <kj/async.h>
#include <kj/refcount.h>

#include <deque>

namespace bothy {

// So many of something at a time.
class Places final: public kj::Refcounted {
public:
  explicit Places(kj::uint limit, size_t maxWaiting = kj::maxValue)
      : limit(limit), maxWaiting(maxWaiting) {}
  KJ_DISALLOW_COPY_AND_MOVE(Places);

  const kj::uint limit;
  const size_t maxWaiting;

  // One of them; dropping it gives it back.
  class Place;

  // None: all are taken.
  kj::Maybe<kj::Own<Place>> tryTake();
  // Waits for one, in the order of the calls.  Fails with OVERLOADED if `maxWaiting` wait.  Dropping the promise gives up the turn.
  kj::Promise<kj::Own<Place>> take();

  kj::Own<Places> addRef() { return kj::addRef(*this); }

private:
  kj::uint taken = 0;
  std::deque<kj::Own<kj::PromiseFulfiller<kj::Own<Place>>>> waiting;

  void giveBack();
};

class Places::Place final {
public:
  explicit Place(Places& places) : places(places.addRef()) {}
  ~Place() noexcept(false) { places->giveBack(); }
  KJ_DISALLOW_COPY_AND_MOVE(Place);

private:
  kj::Own<Places> places;
};

}  // namespace bothy
