#include "lane/lane-silence.h"

namespace bothy {

kj::Promise<void> untilSilent(kj::Timer& timer, ListenedLane& lane) {
  for (;;) {
    const auto before = lane.received();
    co_await timer.afterDelay(LANE_SILENCE);
    auto isSilent = [&]() { return lane.received() == before && lane.isWaiting(); };
    if (!isSilent()) continue;
    // What fails is the lane's end, which its owner sees.
    auto asking = lane.ask().eagerlyEvaluate([](kj::Exception&&) {});
    for (kj::uint looks = 0; looks < ANSWER_LOOKS && isSilent(); ++looks) {
      co_await timer.afterDelay(ANSWER_LOOK_PAUSE);
    }
    if (isSilent()) co_return;
  }
}

}  // namespace bothy
