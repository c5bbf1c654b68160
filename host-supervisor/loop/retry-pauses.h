#pragma once

#include <kj/async.h>
#include <kj/timer.h>

namespace bothy {

// The pauses between tries of something that must succeed in the end, each twice as long as the one before.
class RetryPauses final {
public:
  struct Limits {
    kj::Duration least = 1 * kj::SECONDS;
    kj::Duration most = 60 * kj::SECONDS;
  };

  RetryPauses(kj::Timer& timer, Limits limits)
      : timer(timer), pause(limits.least), most(limits.most) {}

  kj::Promise<void> next() { return timer.afterDelay(take()); }
  // The next pause, for a caller who waits by himself.
  kj::Duration take() {
    auto taken = pause;
    pause = kj::min(pause * 2, most);
    return taken;
  }

private:
  kj::Timer& timer;
  kj::Duration pause;
  kj::Duration most;
};

// "WHAT within N s", OVERLOADED.
kj::Exception overdue(kj::StringPtr what, kj::Duration limit);

// Fails with overdue() when `limit` is over.
template <typename T>
kj::Promise<T> within(kj::Timer& timer, kj::Duration limit, kj::StringPtr what,
                      kj::Promise<T> promise) {
  return promise.exclusiveJoin(timer.afterDelay(limit).then(
      [what = kj::heapString(what), limit]() -> kj::Promise<T> { return overdue(what, limit); }));
}

}  // namespace bothy
