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

void ActivityWatch::noteWakes(const WakeSummary& now) {
  if (now == wakes) return;
  wakes = now;
  changed(WAKE_PAUSE);
}

void ActivityWatch::changed(kj::Duration pause) {
  auto time = timer.now();
  KJ_IF_MAYBE (last, lastTold) time = kj::max(time, *last + pause);
  KJ_IF_MAYBE (earlier, due) {
    if (*earlier <= time) return;
  }
  due = time;
  telling = tellAt(time).eagerlyEvaluate(nullptr);
}

kj::Promise<void> ActivityWatch::tellAt(kj::TimePoint time) {
  if (timer.now() < time) co_await timer.atTime(time);
  due = nullptr;
  lastTold = timer.now();
  tell({.lastInput = lastInput, .running = running, .wakes = wakes});
}

}  // namespace bothy
