#pragma once

#include <kj/array.h>
#include <kj/string.h>
#include <stdint.h>

namespace bothy {

// What counts as use of a workspace, and what becomes of one that nobody uses.  Times in seconds.
struct IdlePolicy {
  // So long after its last use it is paused; 0: never.
  uint32_t pauseAfter = 30 * 60;
  // So long before that an event says so; 0: none does.
  uint32_t warnBefore = 2 * 60;
  // So long after its pause it is hibernated, and so long after that it expires, with its disk; 0: never.
  uint32_t hibernateAfter = 10 * 60;
  uint32_t expireAfter = 30 * 24 * 60 * 60;
  // So long before it expires an event says so, at the latest when it is hibernated; 0: none does.
  uint32_t warnExpiry = 3 * 24 * 60 * 60;
  // So long a session whose last connection is lost has not ended.
  uint32_t sessionGrace = 60;
  // What its guest alone says keeps it awake at most so long after the last use that this host knows of.
  uint32_t mostGuestWake = 12 * 60 * 60;
  // Whether each keeps it awake: 0 or 1.
  uint32_t countSessions = 1;
  uint32_t countInput = 1;
  uint32_t countCommands = 1;
  uint32_t countWakeLocks = 1;
};

// One figure of a policy.  The numbers are those of IdleFigure in activity.capnp.
enum class IdleFigure : uint8_t {
  PAUSE_AFTER = 0,
  WARN_BEFORE = 1,
  HIBERNATE_AFTER = 2,
  EXPIRE_AFTER = 3,
  WARN_EXPIRY = 4,
  SESSION_GRACE = 5,
  MOST_GUEST_WAKE = 6,
  COUNT_SESSIONS = 7,
  COUNT_INPUT = 8,
  COUNT_COMMANDS = 9,
  COUNT_WAKE_LOCKS = 10,
};
constexpr size_t IDLE_FIGURES = 11;

// The longest time of a policy: a year.
constexpr uint32_t MAX_IDLE_SECONDS = 366 * 24 * 60 * 60;

// "pause-after"
kj::StringPtr nameOf(IdleFigure figure);
// "pause-after, warn-before, ..."
kj::String idleFigureNames();
kj::Maybe<IdleFigure> idleFigure(kj::StringPtr name);
uint32_t IdlePolicy::* memberOf(IdleFigure figure);
// Why it cannot be `value`, with the limit.
kj::Maybe<kj::String> faultOf(IdleFigure figure, uint32_t value);

// Sets the figure as people write it: a number of seconds, or with s, m, h or d behind it; "never" of what is done after a time; 0 or 1 of what counts.
// Returns what is wrong, with the limit; then nothing has changed.
kj::Maybe<kj::String> setIdleFigure(IdlePolicy& policy, IdleFigure figure, kj::StringPtr value);
// The same of figures, each as NAME=VALUE, between blanks.
kj::Maybe<kj::String> setIdleFigures(IdlePolicy& policy, kj::StringPtr text);

// What one workspace has in the place of the policy of its tier.
struct IdleOverrides {
  kj::Maybe<uint32_t> figures[IDLE_FIGURES];

  kj::Maybe<uint32_t>& of(IdleFigure figure) { return figures[static_cast<size_t>(figure)]; }
  bool isEmpty() const;
  IdlePolicy over(IdlePolicy policy) const;
  // "pause-after=7200 count-input=0": what parse() reads.
  kj::String text() const;
  // What this bothyd does not know of it is left out.
  static IdleOverrides parse(kj::StringPtr text);
};

}  // namespace bothy
