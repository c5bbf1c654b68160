#include "activity/wakefulness.h"

#include <kj/debug.h>

namespace bothy {
namespace {

using Reason = Wakefulness::Reason;

// Of one time, in both.
struct Clocks {
  kj::TimePoint now;
  int64_t wallNow;
  int64_t operator()(kj::TimePoint time) const { return wallNow + (time - now) / kj::NANOSECONDS; }
};

void addVisits(kj::Vector<Reason>& reasons, const WorkspaceUse& use, const Clocks& nanos,
               const IdlePolicy& policy) {
  const bool counts = policy.countSessions != 0;
  for (auto& visit : use.visits) {
    reasons.add(Reason{Reason::Kind::SESSION, nullptr, kj::str(visit.who.session),
                       kj::str(visit.who.actor), nanos(visit.since), 0, counts});
  }
  KJ_IF_MAYBE (end, use.graceEnd()) {
    if (*end > nanos.now) {
      reasons.add(Reason{Reason::Kind::GRACE, nullptr, nullptr, nullptr,
                         nanos(KJ_ASSERT_NONNULL(use.lastVisit)), nanos(*end), counts});
    }
  }
}

void addGuests(kj::Vector<Reason>& reasons, const WorkspaceUse& use, const Clocks& nanos,
               const IdlePolicy& policy) {
  auto& guest = use.guest;
  const auto bound = nanos(use.guestBound(nanos.now));
  const auto pause = policy.pauseAfter * kj::SECONDS;
  KJ_IF_MAYBE (input, guest.lastInput) {
    if (nanos.now - *input < pause) {
      reasons.add(Reason{Reason::Kind::INPUT, nullptr, nullptr, nullptr, nanos(*input),
                         kj::min(nanos(*input + pause), bound), policy.countInput != 0});
    }
  }
  if (guest.commands > 0) {
    reasons.add(Reason{Reason::Kind::COMMANDS, nullptr, nullptr, kj::str(guest.commands), 0, bound,
                       policy.countCommands != 0});
  }
  if (guest.wakes > 0) {
    auto others = guest.wakes == 1 ? kj::String() : kj::str(" (and ", guest.wakes - 1, " more)");
    reasons.add(Reason{Reason::Kind::GUEST_LOCK, nullptr, kj::str("uid ", guest.wakeUid),
                       kj::str(guest.wakeLabel, others), 0, kj::min(nanos(guest.wakeUntil), bound),
                       policy.countWakeLocks != 0});
  }
  if (guest.earlierLanes > 0) {
    reasons.add(Reason{Reason::Kind::EARLIER_LANES, nullptr, nullptr, kj::str(guest.earlierLanes),
                       0, bound, policy.countSessions != 0});
  }
  if (guest.isSettingUp) {
    reasons.add(Reason{Reason::Kind::SETTING_UP, nullptr, nullptr, nullptr, 0, bound, true});
  }
  if (!guest.isAnswered) {
    reasons.add(Reason{Reason::Kind::NO_ANSWER, nullptr, nullptr, nullptr, 0, bound, true});
  }
}

}  // namespace

Wakefulness describe(const WorkspaceUse& use, kj::TimePoint now, int64_t wallNow) {
  const Clocks nanos{now, wallNow};
  Wakefulness told;
  told.state = use.state;
  told.policy = use.policy();
  told.overrides = use.overrides;
  const bool isRunning = use.state == WorkspaceState::RUNNING;
  if (isRunning) addVisits(told.reasons, use, nanos, told.policy);
  for (auto& lock : use.locks) {
    told.reasons.add(Reason{Reason::Kind::WAKE_LOCK, kj::str(lock.row.id), kj::str(lock.row.holder),
                            kj::str(lock.row.reason), lock.row.takenNanos, lock.row.untilNanos,
                            told.policy.countWakeLocks != 0});
  }
  if (isRunning) {
    addGuests(told.reasons, use, nanos, told.policy);
    KJ_IF_MAYBE (last, use.lastUse(now)) {
      if (*last <= now) told.idleNanos = nanos(*last);
    }
  }
  KJ_IF_MAYBE (when, use.due(now)) {
    auto& step = KJ_ASSERT_NONNULL(stepFrom(use.state));
    told.next = Wakefulness::Next{step.rule, nanos(*when), use.isWarned(now), nullptr};
  }
  return told;
}

}  // namespace bothy
