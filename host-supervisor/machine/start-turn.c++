#include "machine/start-turn.h"

#include <kj/debug.h>

namespace bothy {
namespace {

// Between two notices of how many start first.
constexpr kj::Duration NOTICE_PAUSE = 1 * kj::SECONDS;

}  // namespace

kj::Promise<kj::Own<RunningVm>> StartTurn::limit(kj::Promise<kj::Own<RunningVm>> start) {
  return start.exclusiveJoin(
      expire().then([]() -> kj::Promise<kj::Own<RunningVm>> { KJ_UNREACHABLE; }));
}

void StartTurn::waits(size_t before) {
  const auto now = timer.now();
  if (isWaiting && now - lastNotice < NOTICE_PAUSE) return;
  lastNotice = now;
  changeTo(true);
  listener(before);
}

void StartTurn::begins() {
  changeTo(false);
  listener(nullptr);
}

void StartTurn::changeTo(bool waiting) {
  if (isWaiting == waiting) return;
  isWaiting = waiting;
  if (phaseEnd.get() != nullptr) phaseEnd->fulfill();
}

kj::Promise<void> StartTurn::expire() {
  for (;;) {
    const bool waits = isWaiting;
    const auto limit = waits ? deadlines.turn : deadlines.startVm;
    auto paf = kj::newPromiseAndFulfiller<void>();
    phaseEnd = kj::mv(paf.fulfiller);
    auto over = timer.afterDelay(limit).then([limit, waits]() -> kj::Promise<void> {
      return KJ_EXCEPTION(OVERLOADED,
                          kj::str(waits ? "others started first, and the machine had no turn"
                                        : "the machine could not be started",
                                  " within ", limit / kj::SECONDS, " s"));
    });
    co_await paf.promise.exclusiveJoin(kj::mv(over));
  }
}

}  // namespace bothy
