#include "system/activity-watch.h"

namespace bothy {

void ActivityWatch::noteInput() {
  lastInput = timer.now();
  changed();
}

void ActivityWatch::noteRunning(RunningPrograms now) {
  if (now == running) return;
  running = now;
  changed();
}

void ActivityWatch::changed() {
  if (isDue) return;
  isDue = true;
  telling = tellInTime().eagerlyEvaluate(nullptr);
}

kj::Promise<void> ActivityWatch::tellInTime() {
  KJ_IF_MAYBE (last, lastTold) {
    const auto due = *last + ACTIVITY_PAUSE;
    if (timer.now() < due) co_await timer.atTime(due);
  }
  isDue = false;
  lastTold = timer.now();
  tell({.lastInput = lastInput, .running = running});
}

}  // namespace bothy
