#include "wire/places.h"

#include <kj/debug.h>

namespace bothy {

kj::Maybe<kj::Own<Places::Place>> Places::tryTake() {
  if (taken >= limit) return nullptr;
  taken++;
  return kj::heap<Place>(*this);
}

kj::Promise<kj::Own<Places::Place>> Places::take() {
  KJ_IF_MAYBE (place, tryTake()) {
    return kj::mv(*place);
  }
  std::erase_if(waiting, [](auto& waiter) { return !waiter->isWaiting(); });
  if (waiting.size() >= maxWaiting) {
    return KJ_EXCEPTION(OVERLOADED, "as many wait for their turn as may", maxWaiting);
  }
  auto paf = kj::newPromiseAndFulfiller<kj::Own<Place>>();
  waiting.push_back(kj::mv(paf.fulfiller));
  return kj::mv(paf.promise);
}

void Places::giveBack() {
  while (!waiting.empty()) {
    auto next = kj::mv(waiting.front());
    waiting.pop_front();
    if (!next->isWaiting()) continue;
    // If the promise is dropped before it is seen, so is the place, and the next waiter has it.
    next->fulfill(kj::heap<Place>(*this));
    return;
  }
  taken--;
}

}  // namespace bothy
