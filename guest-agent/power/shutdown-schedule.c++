#include "power/shutdown-schedule.h"

#include <kj/debug.h>

#include "process/text-file.h"

namespace bothy {
namespace {

constexpr size_t MAX_SCHEDULE_BYTES = 4096;
constexpr kj::StringPtr USEC = "USEC="_kj;
constexpr kj::StringPtr MODE = "MODE="_kj;

kj::Maybe<Ending> parseMode(kj::StringPtr mode) {
  if (mode == "reboot") {
    return Ending::REBOOT;
  }
  if (mode == "poweroff" || mode == "halt") {
    return Ending::POWER_OFF;
  }
  return nullptr;
}

}  // namespace

kj::Maybe<ScheduledEnd> parseSchedule(kj::StringPtr text) {
  kj::Maybe<uint64_t> time;
  kj::Maybe<Ending> ending;
  Lines lines(text.asArray());
  for (;;) {
    auto next = lines.next();
    if (next == nullptr) {
      break;
    }
    auto line = kj::str(trimmed(KJ_ASSERT_NONNULL(next)));
    if (line.startsWith(USEC)) {
      time = line.slice(USEC.size()).tryParseAs<uint64_t>();
    } else if (line.startsWith(MODE)) {
      ending = parseMode(line.slice(MODE.size()));
    }
  }
  KJ_IF_MAYBE (t, time) {
    KJ_IF_MAYBE (e, ending) {
      return ScheduledEnd{*e, *t};
    }
  }
  return nullptr;
}

void ShutdownSchedule::reread() {
  waiting = nullptr;
  KJ_IF_MAYBE (text, findTextFile(path, MAX_SCHEDULE_BYTES)) {
    KJ_IF_MAYBE (end, parseSchedule(*text)) {
      waiting = endAt(*end).eagerlyEvaluate(
          [](kj::Exception&& e) { KJ_LOG(ERROR, "a scheduled end is lost", e.getDescription()); });
    }
  }
}

kj::Promise<void> ShutdownSchedule::endAt(ScheduledEnd end) {
  for (;;) {
    auto now = unixMicros();
    if (end.unixMicros <= now) {
      break;
    }
    auto left = end.unixMicros - now;
    auto pause = left < static_cast<uint64_t>(CLOCK_CHECK / kj::MICROSECONDS)
                     ? static_cast<int64_t>(left) * kj::MICROSECONDS
                     : CLOCK_CHECK;
    co_await timer.afterDelay(pause);
  }
  power.end(end.ending, GUEST_GRACE);
}

}  // namespace bothy
