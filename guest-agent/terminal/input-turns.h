#pragma once

#include <kj/async.h>
#include <kj/refcount.h>

#include <deque>

namespace bothy {

// Lets one writer at a time to a terminal, in the order in which they came.
class InputTurns final: public kj::Refcounted {
public:
  // Resolves when it is the caller's turn, which ends when the result is dropped.  Dropping the promise
  // gives the place in the queue up.
  kj::Promise<kj::Own<void>> next();

private:
  class Turn;
  bool taken = false;
  std::deque<kj::Own<kj::PromiseFulfiller<kj::Own<void>>>> waiting;

  void pass();
};

}  // namespace bothy
