#include "loop/slots.h"

namespace bothy {

Slots::Waiter::Waiter(kj::PromiseFulfiller<kj::Own<Slot>>& fulfiller, Slots& slots)
    : fulfiller(fulfiller), slots(slots) {
  slots.waiting.add(*this);
}

Slots::Waiter::~Waiter() noexcept(false) {
  if (link.isLinked()) slots.waiting.remove(*this);
}

kj::Promise<kj::Own<Slots::Slot>> Slots::take() {
  if (free > 0) {
    free--;
    return kj::heap<Slot>(*this);
  }
  return kj::newAdaptedPromise<kj::Own<Slot>, Waiter>(*this);
}

void Slots::giveBack() {
  if (waiting.empty()) {
    free++;
    return;
  }
  auto& next = waiting.front();
  waiting.remove(next);
  next.fulfiller.fulfill(kj::heap<Slot>(*this));
}

}  // namespace bothy
