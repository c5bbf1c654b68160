#pragma once

#include <kj/function.h>
#include <kj/timer.h>

#include "process/program-listener.h"
#include "wake/wake-summary.h"

namespace bothy {

// What people and programs do in the machine.
struct Activity {
  kj::Maybe<kj::TimePoint> lastInput;  // by the monotonic clock; none: none has come yet
  RunningPrograms running;
  WakeSummary wakes = {};
};

// Between two times that it is told.
constexpr kj::Duration ACTIVITY_PAUSE = 1 * kj::MINUTES;
// The same of wake locks: what holds one may be all that keeps the machine running.
constexpr kj::Duration WAKE_PAUSE = 1 * kj::SECONDS;

// Tells of a change: at once, or when so long has passed since the last time.
class ActivityWatch final {
public:
  using Tell = kj::Function<void(const Activity&)>;
  // `timer` outlives it.
  ActivityWatch(kj::Timer& timer, Tell tell) : timer(timer), tell(kj::mv(tell)) {}
  KJ_DISALLOW_COPY_AND_MOVE(ActivityWatch);

  // A terminal was given input.
  void noteInput();
  void noteRunning(RunningPrograms running);
  void noteWakes(const WakeSummary& wakes);

private:
  kj::Timer& timer;
  Tell tell;
  kj::Maybe<kj::TimePoint> lastInput;
  RunningPrograms running;
  kj::Maybe<kj::TimePoint> lastTold;
  WakeSummary wakes;
  kj::Maybe<kj::TimePoint> due;
  kj::Promise<void> telling = nullptr;

  void changed(kj::Duration pause = ACTIVITY_PAUSE);
  kj::Promise<void> tellAt(kj::TimePoint time);
};

}  // namespace bothy
