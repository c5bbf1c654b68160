#include "metering/metering.h"

namespace bothy {
namespace {

// Remembered while the database refuses and something happens.
constexpr size_t MOST_LOOKS = 4096;
// Somebody has set the host's clock, if it went off by more between two looks.
constexpr int64_t SET_CLOCK_MILLIS = 1000;
// What happened by the clock that was set so long ago at most did.
constexpr kj::Duration LATELY = 1 * kj::MINUTES;

}  // namespace

// What is not polled was as it is up to the last look in that boot of the host.
void Metering::passToLast(const MeterRow& row, Meter& meter) {
  if (row.isPolled) return;
  for (auto& look : {last, lastOfBootBefore}) {
    if (look.boot == row.through.boot) return meter.pass(look);
  }
}

// No machine outlives a boot of the host: one that nobody has seen end did with the last look at most.
void Metering::pass(MeterRow& row, Meter& meter, const Moment& until) {
  const auto state = row.state;
  const bool isEnded = row.through.boot != until.boot && meteredAs(state).hasMemory;
  if (isEnded) {
    passToLast(row, meter);
    meter.become(WorkspaceState::STOPPED);
  }
  meter.pass(until);
  if (isEnded) meter.become(state);
}

// When it happened, by its time on the host's clock.  Where that was set since the last look and the time cannot be right, at that look.
Moment Metering::momentOf(const EventRecord& event, const Moment& now) const {
  const int64_t millis = event.timeNanos / 1'000'000;
  int64_t ago = now.wallMillis - millis;
  const auto& then = lookBefore(event);
  if (wasSet(then, now)) {
    const int64_t since = now.bootMillis - then.bootMillis;
    if (ago < 0 || ago > kj::min(since, LATELY / kj::MILLISECONDS)) ago = since;
  }
  ago = kj::max(ago, 0);
  if (ago > now.bootMillis && last.boot != now.boot) {
    // Before the host was booted.
    return {last.boot, last.bootMillis + kj::max(millis - last.wallMillis, 0), millis};
  }
  ago = kj::min(ago, now.bootMillis);
  return {now.boot, now.bootMillis - ago, now.wallMillis - ago};
}

// In this life, since what was booked was stored.
void Metering::noteLook(const Moment& at, uint64_t through) {
  // Where there is more there was no whole look.
  if (through < events.newest()) return;
  if (looks.size() > 0 && looks.back().eventsThrough == through) {
    looks.back().at = at;
  } else if (looks.size() < MOST_LOOKS) {
    looks.add(LookInVain{at, through});
  }
}

// The last one at which it had not happened yet.
const Moment& Metering::lookBefore(const EventRecord& event) const {
  for (size_t i = looks.size(); i-- > 0;) {
    if (looks[i].eventsThrough < event.number) return looks[i].at;
  }
  return last;
}

bool Metering::wasSet(const Moment& then, const Moment& now) {
  if (then.boot != now.boot) return false;
  const int64_t off = (now.wallMillis - then.wallMillis) - (now.bootMillis - then.bootMillis);
  return off > SET_CLOCK_MILLIS || off < -SET_CLOCK_MILLIS;
}

}  // namespace bothy
