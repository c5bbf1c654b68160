#pragma once

#include <kj/vector.h>

#include "rpc/noted-actions.h"

namespace bothy {

class RecordingLog final: public ActionLog {
public:
  kj::Vector<kj::String> lines;
  void add(kj::StringPtr line) override { lines.add(kj::str(line)); }
};

// For tests that read no note.
inline ActionNotes noNotes() {
  class NoLog final: public ActionLog {
    void add(kj::StringPtr) override {}
  };
  static NoLog log;
  return {log, kj::systemCoarseCalendarClock()};
}

}  // namespace bothy
