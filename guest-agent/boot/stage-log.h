#pragma once

#include <kj/function.h>
#include <kj/string.h>
#include <kj/time.h>
#include <kj/vector.h>

#include "boot/console.h"

namespace bothy {

// One step of the boot, as it went.
struct Stage {
  kj::String name;     // what was done, as a sentence without an end: "mounted root"
  kj::Duration start;  // since the kernel's clock began
  kj::Duration took;
  kj::Maybe<kj::String> failure;
};

// Runs the stages of the boot, times them, tells each on the console when it has ended, and keeps them
// for the boot report.
class StageLog {
public:
  // `clock` gives the time since the kernel's clock began.
  StageLog(Console& console, kj::Function<kj::Duration()> clock)
      : console(console), clock(kj::mv(clock)) {}
  KJ_DISALLOW_COPY_AND_MOVE(StageLog);

  // Runs `work`.  An exception is the stage's failure: it is told, kept, and goes no further.  Returns
  // whether it went well.
  bool run(kj::StringPtr name, kj::Function<void()> work);

  kj::ArrayPtr<const Stage> stages() const { return done; }

private:
  Console& console;
  kj::Function<kj::Duration()> clock;
  kj::Vector<Stage> done;
};

// CLOCK_MONOTONIC.
kj::Duration kernelClock();

}  // namespace bothy
