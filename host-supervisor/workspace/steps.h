#pragma once

#include <kj/async.h>
#include <kj/debug.h>
#include <kj/time.h>
#include <kj/timer.h>

#include "workspace/workspace.h"

namespace bothy {

// What the steps of a workspace's operations have in common.

// Nanoseconds since 1970.
int64_t nanosOf(kj::Date date);

// For people: "the machine ...".
kj::StringPtr describe(VmEnd end);

// An exception as one line for people, of not much more than LINE_BYTES: QEMU's and libvirt's words may have words of
// the guest in them, and it is kept.
kj::String lineOf(const kj::Exception& exception);

// The pauses between tries of something that must succeed in the end, each twice as long as the one before.
class RetryPauses final {
public:
  explicit RetryPauses(World& world)
      : timer(world.timer), pause(world.deadlines.leastRetry), most(world.deadlines.mostRetry) {}

  kj::Promise<void> next() { return timer.afterDelay(take()); }
  // The next pause, for whoever waits by himself.
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

// Fails with OVERLOADED, "WHAT within N s", when `limit` is over.
template <typename T>
kj::Promise<T> within(kj::Timer& timer, kj::Duration limit, kj::StringPtr what,
                      kj::Promise<T> promise) {
  return promise.exclusiveJoin(
      timer.afterDelay(limit).then([what = kj::heapString(what), limit]() -> kj::Promise<T> {
        return KJ_EXCEPTION(OVERLOADED, kj::str(what, " within ", limit / kj::SECONDS, " s"));
      }));
}

// What `work` comes to.  It goes on though whoever waits for that leaves: `keep` is given it to hold.
template <typename T, typename Keep>
kj::Promise<T> carryOut(kj::Promise<T> work, Keep&& keep) {
  auto paf = kj::newPromiseAndFulfiller<T>();
  auto told =
      work.then([&waiting = *paf.fulfiller](T&& outcome) { waiting.fulfill(kj::mv(outcome)); },
                [&waiting = *paf.fulfiller](kj::Exception&& e) { waiting.reject(kj::mv(e)); });
  keep(told.attach(kj::mv(paf.fulfiller)));
  return kj::mv(paf.promise);
}

template <typename T>
kj::Promise<T> Workspace::keepOn(kj::Promise<T> work) {
  return carryOut(kj::mv(work),
                  [this](kj::Promise<void> rest) { owner.keep(rest.attach(addRef())); });
}

}  // namespace bothy
