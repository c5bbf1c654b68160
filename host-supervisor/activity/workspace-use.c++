#include "activity/workspace-use.h"

#include <kj/debug.h>

namespace bothy {
namespace {

kj::TimePoint later(kj::TimePoint a, kj::Maybe<kj::TimePoint> b) {
  return kj::max(a, b.orDefault(a));
}

}  // namespace

kj::TimePoint WorkspaceUse::guestBound(kj::TimePoint now) const {
  auto host = later(later(hostSince, lastVisit), lastLock);
  if (!visits.empty()) host = now;
  for (auto& lock : locks) host = kj::max(host, kj::min(lock.until, now));
  return host + policy().mostGuestWake * kj::SECONDS;
}

kj::Maybe<kj::TimePoint> WorkspaceUse::lastUse(kj::TimePoint now) const {
  const auto counted = policy();
  auto last = since;
  if (counted.countSessions != 0) {
    if (!visits.empty()) return nullptr;
    last = later(last, lastVisit);
  }
  if (counted.countWakeLocks != 0) {
    last = later(last, lastLock);
    for (auto& lock : locks) last = kj::max(last, lock.until);
  }
  KJ_IF_MAYBE (used, lastGuest) last = kj::max(last, kj::min(*used, guestBound(now)));
  return last;
}

kj::Maybe<kj::TimePoint> WorkspaceUse::due(kj::TimePoint now) const {
  return wouldBeDue(now).map([this](kj::TimePoint when) { return later(when, notBefore); });
}

kj::Maybe<kj::TimePoint> WorkspaceUse::wouldBeDue(kj::TimePoint now) const {
  KJ_IF_MAYBE (step, stepFrom(state)) {
    const auto counted = policy();
    const auto after = counted.*memberOf(step->after) * kj::SECONDS;
    if (after == 0 * kj::SECONDS) return nullptr;
    const bool isRunning = state == WorkspaceState::RUNNING;
    auto last = isRunning ? lastUse(now) : lastWanted();
    if (last == nullptr) return nullptr;
    auto when = KJ_ASSERT_NONNULL(last) + after;
    if (isRunning && counted.countSessions != 0) when = later(when, graceEnd());
    if (isWarnedFirst(*step)) when = kj::max(when, warnedAt.orDefault(now) + warningOf(*step));
    return when;
  }
  return nullptr;
}

kj::Maybe<kj::TimePoint> WorkspaceUse::lastWanted() const {
  const auto counted = policy();
  // Whoever comes without waking it leaves at once.
  if (counted.countSessions != 0 && !visits.empty()) return nullptr;
  auto last = since;
  if (counted.countWakeLocks != 0) {
    last = later(last, lastLock);
    for (auto& lock : locks) last = kj::max(last, lock.until);
  }
  return last;
}

// It has no longer than it is where it is.
kj::Duration WorkspaceUse::warningOf(const IdleStep& step) const {
  if (step.warning == nullptr) return 0 * kj::SECONDS;
  const auto counted = policy();
  return kj::min(counted.*step.warning, counted.*memberOf(step.after)) * kj::SECONDS;
}

kj::Duration WorkspaceUse::noticeOf(const IdleStep& step) const {
  if (step.from != WorkspaceState::RUNNING) return warningOf(step);
  return kj::max(policy().sessionGrace * kj::SECONDS, warningOf(step));
}

void WorkspaceUse::noteWarning(kj::TimePoint warned, kj::TimePoint now) {
  warnedAt = warned;
  warnedOf = wouldBeDue(now);
}

bool WorkspaceUse::isWarned(kj::TimePoint now) const {
  KJ_IF_MAYBE (of, warnedOf) {
    KJ_IF_MAYBE (when, wouldBeDue(now)) return *of == *when;
  }
  return false;
}

kj::Maybe<kj::TimePoint> WorkspaceUse::warningDue(kj::TimePoint now) const {
  KJ_IF_MAYBE (step, stepFrom(state)) {
    const auto before = warningOf(*step);
    if (before == 0 * kj::SECONDS || isWarned(now)) return nullptr;
    return due(now).map([&](kj::TimePoint when) { return when - before; });
  }
  return nullptr;
}

kj::Maybe<kj::TimePoint> WorkspaceUse::graceEnd() const {
  if (!visits.empty()) return nullptr;
  return lastVisit.map(
      [&](kj::TimePoint end) { return end + policy().sessionGrace * kj::SECONDS; });
}

kj::Maybe<kj::TimePoint> WorkspaceUse::settledAt(kj::TimePoint now) const {
  if (state != WorkspaceState::RUNNING) return nullptr;
  return lastUse(now).map(
      [&](kj::TimePoint last) { return last + policy().sessionGrace * kj::SECONDS; });
}

kj::Maybe<kj::TimePoint> WorkspaceUse::firstLockEnd() const {
  kj::Maybe<kj::TimePoint> first;
  for (auto& lock : locks) first = kj::min(lock.until, first.orDefault(lock.until));
  return first;
}

void WorkspaceUse::hear(GuestUse told, kj::TimePoint now) {
  guest = kj::mv(told);
  const auto counted = policy();
  auto use = [&](kj::TimePoint when) { lastGuest = later(when, lastGuest); };
  if (!guest.isAnswered || guest.isSettingUp) use(now);
  if (counted.countSessions != 0 && guest.earlierLanes > 0) use(now);
  if (counted.countCommands != 0) {
    if (guest.commands > 0) use(now);
    KJ_IF_MAYBE (when, guest.lastCommand) use(kj::min(*when, now));
  }
  if (counted.countWakeLocks != 0) {
    if (guest.wakes > 0) use(now);
    KJ_IF_MAYBE (when, guest.lastWake) use(kj::min(*when, now));
  }
  if (counted.countInput != 0) {
    KJ_IF_MAYBE (when, guest.lastInput) use(kj::min(*when, now));
  }
}

void WorkspaceUse::follow(IdlePolicy tier, const IdleOverrides& own, kj::TimePoint now) {
  auto step = stepFrom(state);
  KJ_IF_MAYBE (s, step) {
    const auto before = due(now);
    const auto warning = warningOf(*s), notice = noticeOf(*s);
    tierPolicy = tier;
    overrides = own;
    // What was told was of a shorter time.
    if (warningOf(*s) > warning) warnedOf = nullptr;
    KJ_IF_MAYBE (when, due(now)) {
      const bool isEarlier = before.map([&](kj::TimePoint b) { return *when < b; }).orDefault(true);
      const auto earliest = now + noticeOf(*s);
      if (*when < earliest && (isEarlier || noticeOf(*s) > notice)) {
        notBefore = later(earliest, notBefore);
      }
    }
    return;
  }
  tierPolicy = tier;
  overrides = own;
}

void WorkspaceUse::enter(WorkspaceState next, kj::TimePoint now, By by) {
  if (state == next) return;
  if (by == By::RULE) {
    // It came to nothing, and nobody has used it for that.
    if (leaving.map([&](WorkspaceState from) { return from == next; }).orDefault(false)) {
      state = next;
      leaving = nullptr;
      return;
    }
    for (auto& step : IDLE_STEPS) {
      if (step.meanwhile != next) continue;
      // It is known to have come to its end already.
      if (step.to == state) return;
      if (step.from == state) {
        leaving = state;
        state = next;
        return;
      }
    }
  }
  leaving = nullptr;
  const bool isBack = isRebooting && next == WorkspaceState::RUNNING;
  state = next;
  if (isBack) {
    isRebooting = false;
    lastGuest = now;
    return;
  }
  if (isRebooting && next == WorkspaceState::STARTING) return;
  isRebooting = false;
  since = now;
  notBefore = nullptr;
  warnedOf = nullptr;
  warnedAt = nullptr;
  if (next != WorkspaceState::RUNNING) return;
  hostSince = now;
  lastGuest = nullptr;
  guest = GuestUse();
}

}  // namespace bothy
