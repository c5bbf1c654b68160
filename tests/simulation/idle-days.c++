#include "simulation/idle-days.h"

#include "activity/test-activity-bed.h"
#include "simulation/fate.h"
#include "simulation/judge.h"

namespace bothy {
namespace {

constexpr int STEPS = 400;
constexpr size_t WORKSPACES = 4;
constexpr kj::Duration LATE = 30 * kj::SECONDS;
constexpr kj::Duration LONGEST_LOCK = 5 * kj::HOURS;

// What is true of a workspace, whoever knows it.
struct Truth {
  kj::String id;
  IdlePolicy policy;
  bool runs = false;
  kj::TimePoint ranSince = kj::origin<kj::TimePoint>();
  kj::Vector<kj::Own<void>> visits;
  kj::TimePoint lastVisit = kj::origin<kj::TimePoint>();
  std::map<std::string, kj::TimePoint> locks;
  kj::TimePoint lastLock = kj::origin<kj::TimePoint>();
  kj::TimePoint lastGuest = kj::origin<kj::TimePoint>();
  bool hasCommand = false;

  kj::Duration after() const { return policy.pauseAfter * kj::SECONDS; }
  // What somebody on the host knows; `now` while it goes on.
  kj::TimePoint hostUse(kj::TimePoint now) const {
    auto last = kj::max(ranSince, kj::max(lastVisit, lastLock));
    if (visits.size() > 0) last = now;
    for (auto& lock : locks) last = kj::max(last, kj::min(lock.second, now));
    return last;
  }
  kj::TimePoint lastUse(kj::TimePoint now, kj::TimePoint guestFrom) const {
    const auto guest = hasCommand ? now : lastGuest;
    const auto bound = kj::max(hostUse(now), guestFrom) + policy.mostGuestWake * kj::SECONDS;
    return kj::max(hostUse(now), kj::min(guest, bound));
  }
  kj::TimePoint graceEnd() const { return lastVisit + policy.sessionGrace * kj::SECONDS; }
};

class IdleDays final {
public:
  explicit IdleDays(uint64_t seed) : fate(seed) {
    if (fate.oneIn(2)) bed.feedDelay = fate.between(0 * kj::SECONDS, 2 * kj::SECONDS);
    bed.onPause = [this](kj::StringPtr id) { examinePause(id); };
    for (size_t i = 0; i < WORKSPACES; i++) {
      auto& truth = truths[i];
      truth.id = kj::str("w", i);
      truth.policy = policy();
      begin(truth);
    }
  }

  kj::Maybe<kj::String> live() {
    for (int i = 0; i < STEPS && judge.verdict() == nullptr; i++) {
      bed.pass(fate.oneIn(3) ? fate.between(0 * kj::SECONDS, 2 * kj::HOURS)
                             : fate.between(0 * kj::SECONDS, 5 * kj::MINUTES));
      forgetLocks();
      for (auto& truth : truths) examine(truth);
      act(truths[fate.below(WORKSPACES)]);
      bed.scope.poll();
    }
    end();
    return judge.verdict().map([](kj::StringPtr text) { return kj::str(text); });
  }

private:
  Fate fate;
  Judge judge;
  ActivityBed bed;
  Truth truths[WORKSPACES];
  kj::TimePoint lastKill = kj::origin<kj::TimePoint>();

  IdlePolicy policy() {
    IdlePolicy chosen;
    chosen.pauseAfter = fate.oneIn(6) ? 0 : 10 + fate.below(3600);
    chosen.warnBefore = fate.oneIn(4) ? 0 : fate.below(chosen.pauseAfter + 1);
    chosen.sessionGrace = fate.below(120);
    chosen.mostGuestWake = fate.below(4 * 3600);
    return chosen;
  }
  Truth& truthOf(kj::StringPtr id) {
    for (auto& truth : truths) {
      if (truth.id == id) return truth;
    }
    KJ_FAIL_REQUIRE("no such workspace", id);
  }
  void begin(Truth& truth) {
    bed.begin(truth.id, truth.policy);
    bed.at(truth.id).guest = GuestUse();
    truth.runs = true;
    truth.ranSince = bed.timer.now();
    truth.lastGuest = kj::origin<kj::TimePoint>();
    truth.hasCommand = false;
  }
  // Its machine is not there any more, or stands still.
  void rest(Truth& truth) {
    truth.runs = false;
    leave(truth, truth.visits.size());
  }
  void leave(Truth& truth, size_t count) {
    if (count == 0) return;
    for (size_t i = 0; i < count; i++) truth.visits.removeLast();
    truth.lastVisit = bed.timer.now();
  }
  void forgetLocks() {
    for (auto& truth : truths) {
      for (auto at = truth.locks.begin(); at != truth.locks.end();) {
        if (at->second > bed.timer.now()) {
          ++at;
          continue;
        }
        truth.lastLock = kj::max(truth.lastLock, at->second);
        at = truth.locks.erase(at);
      }
    }
  }

  void act(Truth& truth) {
    const auto now = bed.timer.now();
    switch (fate.below(12)) {
      case 0:
      case 1:
        if (!truth.runs) begin(truth);
        truth.visits.add(bed.come(truth.id));
        break;
      case 2:
      case 3:
        leave(truth, truth.visits.size());
        break;
      case 4: {
        auto time = fate.between(1 * kj::SECONDS, LONGEST_LOCK);
        time -= time % (1 * kj::MILLISECONDS);
        auto row = bed.lock(truth.id, time);
        truth.locks.emplace(row.id.cStr(), now + time);
        break;
      }
      case 5:
        if (truth.locks.empty()) break;
        bed.keeper->releaseLock(truth.id, truth.locks.begin()->first.c_str()).wait(bed.scope);
        truth.locks.erase(truth.locks.begin());
        truth.lastLock = now;
        break;
      case 6:
        if (!truth.runs) break;
        truth.lastGuest = now;
        bed.at(truth.id).guest.lastInput = now;
        break;
      case 7:
        if (!truth.runs) break;
        truth.hasCommand = !truth.hasCommand;
        bed.at(truth.id).guest.commands = truth.hasCommand ? 1 : 0;
        bed.at(truth.id).guest.lastCommand = now;
        truth.lastGuest = now;
        break;
      case 8:
        if (!truth.runs) break;
        rest(truth);
        bed.move(truth.id, WorkspaceState::PAUSED, Cause::REQUEST);
        break;
      case 9:
        if (truth.runs) rest(truth);
        bed.move(truth.id, WorkspaceState::STOPPED, Cause::REQUEST);
        break;
      case 10:
        if (!truth.runs) begin(truth);
        break;
      case 11:
        bed.restart();
        // Whoever was connected is so no more, and that bothyd does not know it.
        for (auto& each : truths) leave(each, each.visits.size());
        lastKill = now;
        break;
    }
  }

  void examinePause(kj::StringPtr id) {
    auto& truth = truthOf(id);
    const auto now = bed.timer.now();
    forgetLocks();
    if (!truth.runs) judge.accuse(id, " was paused, and did not run");
    if (truth.visits.size() > 0) judge.accuse(id, " was paused while somebody was connected");
    if (!truth.locks.empty()) judge.accuse(id, " was paused though a wake lock held");
    if (now < truth.hostUse(now) + truth.after()) {
      judge.accuse(id, " was paused ", (now - truth.hostUse(now)) / kj::SECONDS,
                   " s after its last use, and not after ", truth.policy.pauseAfter);
    }
    if (now < truth.lastUse(now, kj::origin<kj::TimePoint>()) + truth.after()) {
      judge.accuse(id, " was paused though its guest said that it was in use");
    }
    if (now < truth.graceEnd()) judge.accuse(id, " was paused within the grace of a session");
    examineWarning(truth);
    rest(truth);
  }
  void examineWarning(Truth& truth) {
    if (truth.policy.warnBefore == 0) return;
    const auto before = kj::min(truth.policy.warnBefore, truth.policy.pauseAfter) * kj::SECONDS;
    for (auto warned : bed.at(truth.id).warnings) {
      const auto ago = bed.timer.now() - warned;
      if (ago >= before - 1 * kj::SECONDS && warned >= truth.hostUse(bed.timer.now())) return;
    }
    judge.accuse(truth.id, " was paused without a warning");
  }

  // Of one that runs: it does not do so for longer than its policy says.
  void examine(Truth& truth) {
    const auto now = bed.timer.now();
    if (bed.lateOrders > 0) judge.accuse("what was paused was to be paused again");
    if (!truth.runs || truth.visits.size() > 0 || !truth.locks.empty()) return;
    if (truth.policy.pauseAfter == 0) return;
    // A bothyd that starts knows no less than since when it does so.
    auto due = kj::max(truth.lastUse(now, lastKill), lastKill) + truth.after();
    const auto pause = kj::max(truth.policy.sessionGrace, truth.policy.warnBefore) * kj::SECONDS;
    due = kj::max(kj::max(due, truth.graceEnd()), lastKill + pause);
    if (now > due + LATE) {
      judge.accuse(truth.id, " runs ", (now - due) / kj::SECONDS,
                   " s after it was to be paused because nobody used it");
    }
  }

  void end() {
    for (auto& truth : truths) {
      if (truth.runs) rest(truth);
      bed.move(truth.id, WorkspaceState::STOPPED, Cause::REQUEST);
    }
    bed.pass(LONGEST_LOCK + 1 * kj::SECONDS);
    if (bed.store.locks.size() > 0) judge.accuse("wake locks are kept that are over");
    if (bed.keeper->waiting() > 0) judge.accuse("something is due of workspaces that rest");
    if (bed.keeper->tracked() > 0) judge.accuse("something is known of workspaces that rest");
    if (!bed.keeper->isIdle()) judge.accuse("something goes on though all workspaces rest");
  }
};

}  // namespace

kj::Maybe<kj::String> liveIdleDays(uint64_t seed) {
  return IdleDays(seed).live();
}

size_t pausedLate(uint64_t seed, size_t count) {
  Fate fate(seed);
  ActivityBed bed;
  struct Visit {
    kj::Own<void> presence;
    kj::TimePoint end;
  };
  std::multimap<kj::TimePoint, size_t> ends;
  kj::Vector<Visit> visits;
  for (size_t i = 0; i < count; i++) {
    auto id = kj::str("w", i);
    bed.begin(id);
    auto end = bed.timer.now() + fate.between(0 * kj::SECONDS, 1 * kj::HOURS);
    visits.add(Visit{bed.come(id), end});
    ends.emplace(end, i);
  }
  for (auto& end : ends) {
    bed.passUntil(end.first);
    visits[end.second].presence = nullptr;
  }
  bed.pass(1 * kj::HOURS);
  size_t late = 0;
  for (size_t i = 0; i < count; i++) {
    auto& pauses = bed.at(kj::str("w", i)).pauses;
    const auto due = visits[i].end + IdlePolicy().pauseAfter * kj::SECONDS;
    if (pauses.size() != 1 || pauses[0] < due || pauses[0] - due > LATE) ++late;
  }
  return late;
}

}  // namespace bothy
