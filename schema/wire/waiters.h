#pragma once

#include <kj/async.h>
#include <kj/vector.h>

namespace bothy {

// Those who wait for something to happen, with a promise each.  Nothing that happened before is remembered: whoever waits for a state looks at
// it again.
class Waiters final {
public:
  Waiters() = default;
  KJ_DISALLOW_COPY_AND_MOVE(Waiters);

  // Resolves at the next wakeAll(); fails if this is gone before.
  kj::Promise<void> wait() {
    dropGivenUp();
    auto paf = kj::newPromiseAndFulfiller<void>();
    waiting.add(kj::mv(paf.fulfiller));
    return kj::mv(paf.promise);
  }

  void wakeAll() {
    auto woken = kj::mv(waiting);
    waiting = {};
    for (auto& one : woken) one->fulfill();
  }

  // With those who have given up since the last wait().
  size_t count() const { return waiting.size(); }

private:
  kj::Vector<kj::Own<kj::PromiseFulfiller<void>>> waiting;

  // Who waits and gives up over and over takes no memory.
  void dropGivenUp() {
    size_t kept = 0;
    for (auto& one : waiting) {
      if (!one->isWaiting()) continue;
      if (&waiting[kept] != &one) waiting[kept] = kj::mv(one);
      ++kept;
    }
    waiting.truncate(kept);
  }
};

}  // namespace bothy
