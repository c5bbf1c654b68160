#pragma once

#include "rpc/noted-actions.h"

namespace bothy {

// For tests that read no note.
inline ActionNotes noNotes() {
  class NoLog final: public ActionLog {
    void add(kj::StringPtr) override {}
  };
  static NoLog log;
  return {log, kj::systemCoarseCalendarClock()};
}

}  // namespace bothy
