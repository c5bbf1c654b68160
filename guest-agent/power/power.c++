#include "power/power.h"

#include <kj/debug.h>

namespace bothy {

Power::Power(kj::Timer& timer, ShutdownSteps& steps) : timer(timer), steps(steps) {}

Power::~Power() noexcept(false) {}

void Power::end(Ending kind, kj::Duration grace) {
  auto wanted = timer.now() + kj::min(grace, MAX_GRACE);
  KJ_IF_MAYBE (current, deadline) {
    if (wanted < *current) {
      *current = wanted;
      shortened.wakeAll();
    }
    return;
  }
  deadline = wanted;
  steps.refusePrograms();
  // A failure on the way must not leave a machine that was told to end.
  ending = run(kind)
               .catch_([this, kind](kj::Exception&& e) {
                 KJ_LOG(ERROR, "the machine does not end in order", e.getDescription());
                 steps.halt(kind);
               })
               .eagerlyEvaluate(nullptr);
}

kj::Promise<void> Power::run(Ending kind) {
  // Whoever gave the order gets the answer first.
  co_await kj::evalLast([]() {});
  steps.terminateAll();
  co_await steps.whenAlone().exclusiveJoin(graceOver());
  steps.killAll();
  co_await steps.whenAlone().exclusiveJoin(timer.afterDelay(KILL_LIMIT));
  // The last program may be the one that gave the order.
  co_await steps.whenAnswered().exclusiveJoin(timer.afterDelay(ANSWER_LIMIT));
  steps.halt(kind);
}

kj::Promise<void> Power::graceOver() {
  for (;;) {
    auto due = KJ_ASSERT_NONNULL(deadline);
    if (due <= timer.now()) {
      co_return;
    }
    co_await timer.atTime(due).exclusiveJoin(shortened.wait());
  }
}

}  // namespace bothy
