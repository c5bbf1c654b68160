#pragma once

#include <kj/vector.h>

#include "rpc/noted-actions.h"

namespace bothy {

class RecordingLog final: public ActionLog {
public:
  kj::Vector<kj::String> lines;
  void addLater(kj::Function<kj::String()> makeLine) override { lines.add(makeLine()); }
};

// For tests that read no note.
inline ActionNotes noNotes() {
  class NoLog final: public ActionLog {
    void addLater(kj::Function<kj::String()>) override {}
  };
  static NoLog log;
  static kj::TimerImpl timer(kj::origin<kj::TimePoint>());
  static ActionShares shares(log, timer, kj::systemCoarseCalendarClock());
  return {log, kj::systemCoarseCalendarClock(), shares};
}

}  // namespace bothy
