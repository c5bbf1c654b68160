#include "rpc/transfer-queue.h"

#include <kj/debug.h>

namespace bothy {

TransferQueue::Turn::Turn(TransferQueue& queue) : queue(queue) {
  if (queue.underWay < queue.maxUnderWay) {
    ++queue.underWay;
    hasPlace = true;
    return;
  }
  if (queue.waiting.size() >= queue.maxWaiting) {
    kj::throwFatalException(KJ_EXCEPTION(OVERLOADED, "as many transfers of this lane wait as may"));
  }
  queue.waiting.add(*this);
}

// A turn that has its place and is given up before it has begun passes it on like any other.
TransferQueue::Turn::~Turn() noexcept(false) {
  if (!hasPlace) {
    queue.waiting.remove(*this);
  } else if (queue.waiting.empty()) {
    --queue.underWay;
  } else {
    auto& next = queue.waiting.front();
    queue.waiting.remove(next);
    next.hasPlace = true;
    KJ_IF_MAYBE (fulfiller, next.waiting) (*fulfiller)->fulfill();
  }
}

kj::Promise<void> TransferQueue::Turn::begun() {
  if (hasPlace) return kj::READY_NOW;
  auto paf = kj::newPromiseAndFulfiller<void>();
  waiting = kj::mv(paf.fulfiller);
  return kj::mv(paf.promise);
}

kj::Promise<void> TransferQueue::run(kj::Function<kj::Promise<void>()> transfer) {
  Turn turn(*this);
  co_await turn.begun();
  co_await transfer();
}

}  // namespace bothy
