#include "activity/workspace-use.h"

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
  KJ_IF_MAYBE (step, stepFrom(state)) {
    const auto counted = policy();
    const auto after = counted.*memberOf(step->after) * kj::SECONDS;
    if (after == 0 * kj::SECONDS) return nullptr;
    auto when = since + after;
    if (state == WorkspaceState::RUNNING) {
      KJ_IF_MAYBE (last, lastUse(now)) {
        when = *last + after;
        if (counted.countSessions != 0) when = later(when, graceEnd());
      } else {
        return nullptr;
      }
    }
    return later(when, notBefore);
  }
  return nullptr;
}

bool WorkspaceUse::isWarned(kj::TimePoint now) const {
  KJ_IF_MAYBE (of, warnedOf) {
    KJ_IF_MAYBE (when, due(now)) return *of == *when;
  }
  return false;
}

kj::Maybe<kj::TimePoint> WorkspaceUse::warningDue(kj::TimePoint now) const {
  const auto before = policy().warnBefore * kj::SECONDS;
  if (before == 0 * kj::SECONDS || isWarned(now)) return nullptr;
  return due(now).map([&](kj::TimePoint when) { return when - before; });
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
  if (!guest.isAnswered) use(now);
  if (counted.countSessions != 0 && guest.earlierLanes > 0) use(now);
  if (counted.countCommands != 0) {
    if (guest.commands > 0) use(now);
    KJ_IF_MAYBE (when, guest.lastCommand) use(kj::min(*when, now));
  }
  if (counted.countInput != 0) {
    KJ_IF_MAYBE (when, guest.lastInput) use(kj::min(*when, now));
  }
}

void WorkspaceUse::enter(WorkspaceState next, kj::TimePoint now) {
  if (state == next) return;
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
  if (next != WorkspaceState::RUNNING) return;
  hostSince = now;
  lastGuest = nullptr;
  guest = GuestUse();
}

}  // namespace bothy
