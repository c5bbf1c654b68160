#pragma once

#include <kj/function.h>
#include <kj/string.h>
#include <kj/timer.h>

#include "power/power.h"

namespace bothy {

// What shutdown(8) of the image writes for an end at a later time, and removes to take it back:
//   USEC=1732775787000000     when, in microseconds since 1970
//   MODE=reboot               or poweroff, or halt, which powers off
struct ScheduledEnd {
  Ending ending;
  uint64_t unixMicros;
};
// None: `text` orders nothing.
kj::Maybe<ScheduledEnd> parseSchedule(kj::StringPtr text);

constexpr kj::StringPtr SHUTDOWN_SCHEDULE = "/run/bothy/shutdown"_kj;

// What processes get who do not end when the machine ends by an order from inside.
constexpr kj::Duration GUEST_GRACE = 30 * kj::SECONDS;

// The clock is looked at at least so often: somebody may set it, or the machine was paused.
constexpr kj::Duration CLOCK_CHECK = 60 * kj::SECONDS;

// Ends the machine when its time has come.
class ShutdownSchedule final {
public:
  // `unixMicros`: the time of day.
  ShutdownSchedule(kj::Timer& timer, Power& power, kj::StringPtr path,
                   kj::Function<uint64_t()> unixMicros)
      : timer(timer), power(power), path(path), unixMicros(kj::mv(unixMicros)) {}
  KJ_DISALLOW_COPY_AND_MOVE(ShutdownSchedule);

  // The file has changed.
  void reread();

private:
  kj::Timer& timer;
  Power& power;
  kj::StringPtr path;
  kj::Function<uint64_t()> unixMicros;
  kj::Maybe<kj::Promise<void>> waiting;

  kj::Promise<void> endAt(ScheduledEnd end);
};

}  // namespace bothy
