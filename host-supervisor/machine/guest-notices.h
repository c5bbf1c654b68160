#pragma once

#include <kj/function.h>

#include "loop/log-pace.h"
#include "schema/agent.capnp.h"
#include "store/records.h"

namespace bothy {

// What people and programs do in a machine, as its agent has told last.
struct GuestActivity {
  kj::Maybe<kj::TimePoint> lastInput;  // none: no terminal was given any
  uint32_t commands = 0;               // that run
  // When they did last, as far as it was told.
  kj::Maybe<kj::TimePoint> lastCommand;
  uint32_t terminals = 0;
  // Wake locks that programs hold there, and of the one that ends last whose it is, what for, and when.
  uint32_t wakes = 0;
  uint32_t wakeUid = 0;
  kj::String wakeLabel;
  kj::TimePoint wakeUntil = kj::origin<kj::TimePoint>();
  // When there was one last, as far as it was told.
  kj::Maybe<kj::TimePoint> lastWake;
};

// What an agent reports of its machine, as events of the workspace have it.  The guest may report what it likes, as often as it likes:
// of each kind so many a minute are passed on, with the number of those that were left out.
class GuestNotices final {
public:
  using Tell = kj::Function<void(Cause cause, kj::StringPtr detail)>;
  // `clock` outlives it.
  GuestNotices(const kj::MonotonicClock& clock, Tell tell);
  KJ_DISALLOW_COPY_AND_MOVE(GuestNotices);

  // Not of a lane.
  void hear(rpc::AgentEvent::Reader event);

  // None: it has told of none yet.
  kj::Maybe<const GuestActivity&> activity() const { return lastActivity; }

private:
  const kj::MonotonicClock& clock;
  Tell tell;
  kj::Maybe<GuestActivity> lastActivity;
  LogPace programs, victims, disks, ports;

  void keep(rpc::Activity::Reader told);
  void keepWakes(GuestActivity& activity, rpc::Activity::Reader told);
  void noteEnd(rpc::ProgramEnded::Kind kind);
  void pass(LogPace& pace, Cause cause, kj::String detail);
};

constexpr kj::Duration NOTICE_PERIOD = 1 * kj::MINUTES;
constexpr kj::uint MOST_PROGRAM_NOTICES = 20;
constexpr kj::uint MOST_MEMORY_NOTICES = 60;
constexpr kj::uint MOST_DISK_NOTICES = 2;
constexpr kj::uint MOST_PORT_NOTICES = 20;

}  // namespace bothy
