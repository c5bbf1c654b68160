#include "loop/slots.h"

namespace bothy {

kj::Promise<kj::Own<Slots::Slot>> Slots::take() {
  if (free > 0) {
    free--;
    return kj::heap<Slot>(*this);
  }
  while (!waiting.empty() && !waiting.front()->isWaiting()) waiting.pop_front();
  auto paf = kj::newPromiseAndFulfiller<kj::Own<Slot>>();
  waiting.push_back(kj::mv(paf.fulfiller));
  return kj::mv(paf.promise);
}

void Slots::giveBack() {
  while (!waiting.empty()) {
    auto next = kj::mv(waiting.front());
    waiting.pop_front();
    if (next->isWaiting()) {
      next->fulfill(kj::heap<Slot>(*this));
      return;
    }
  }
  free++;
}

}  // namespace bothy
