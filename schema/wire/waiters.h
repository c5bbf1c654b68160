#pragma once

#include <kj/async.h>
#include <kj/vector.h>

namespace bothy {

// Those who wait for something to happen, with a promise each.  Nothing that happened before is remembered: whoever waits for a state looks at
// it again.
class Waiters final {
public:
  // So many are not worth a look at who has given up.
  static constexpr size_t LEAST_CLEANED = 16;

  Waiters() = default;
  KJ_DISALLOW_COPY_AND_MOVE(Waiters);

  // Resolves at the next wakeAll(); fails if this is gone before.
  kj::Promise<void> wait() {
    if (waiting.size() >= cleanAt) dropGivenUp();
    auto paf = kj::newPromiseAndFulfiller<void>();
    waiting.add(kj::mv(paf.fulfiller));
    return kj::mv(paf.promise);
  }

  void wakeAll() {
    auto woken = kj::mv(waiting);
    waiting = {};
    cleanAt = LEAST_CLEANED;
    for (auto& one : woken) one->fulfill();
  }

  // With those who have given up, who are no more than those who have not, or LEAST_CLEANED.
  size_t count() const { return waiting.size(); }

private:
  kj::Vector<kj::Own<kj::PromiseFulfiller<void>>> waiting;
  size_t cleanAt = LEAST_CLEANED;

  // Who waits and gives up over and over takes no memory; and who comes costs no look at all others, for it is done when there are twice as
  // many as the last one left.
  void dropGivenUp() {
    size_t kept = 0;
    for (auto& one : waiting) {
      if (!one->isWaiting()) continue;
      if (&waiting[kept] != &one) waiting[kept] = kj::mv(one);
      ++kept;
    }
    waiting.truncate(kept);
    cleanAt = kj::max(2 * kept, LEAST_CLEANED);
  }
};

}  // namespace bothy
