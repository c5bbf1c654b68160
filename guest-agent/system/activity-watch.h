#pragma once

#include <kj/function.h>
#include <kj/timer.h>

#include "process/program-listener.h"

namespace bothy {

// What people and programs do in the machine.
struct Activity {
  kj::Maybe<kj::TimePoint> lastInput;  // by the monotonic clock; none: none has come yet
  RunningPrograms running;
};

// Between two times that it is told.
constexpr kj::Duration ACTIVITY_PAUSE = 1 * kj::MINUTES;

// Tells of a change: at once, or when ACTIVITY_PAUSE has passed since the last time.
class ActivityWatch final {
public:
  using Tell = kj::Function<void(const Activity&)>;
  // `timer` outlives it.
  ActivityWatch(kj::Timer& timer, Tell tell) : timer(timer), tell(kj::mv(tell)) {}
  KJ_DISALLOW_COPY_AND_MOVE(ActivityWatch);

  // A terminal was given input.
  void noteInput();
  void noteRunning(RunningPrograms running);

private:
  kj::Timer& timer;
  Tell tell;
  kj::Maybe<kj::TimePoint> lastInput;
  RunningPrograms running;
  kj::Maybe<kj::TimePoint> lastTold;
  bool isDue = false;
  kj::Promise<void> telling = nullptr;

  void changed();
  kj::Promise<void> tellInTime();
};

}  // namespace bothy
