#include "simulation/idle-days.h"

#include "activity/test-activity-bed.h"
#include "simulation/fate.h"
#include "simulation/judge.h"

namespace bothy {
namespace {

constexpr int STEPS = 600;
constexpr size_t WORKSPACES = 4;
constexpr kj::Duration LATE = 30 * kj::SECONDS;
constexpr kj::Duration LONGEST_LOCK = 5 * kj::HOURS;

// What is true of a workspace, whoever knows it.
struct Truth {
  kj::String id;
  IdlePolicy policy;
  bool runs = false;
  kj::TimePoint ranSince = kj::origin<kj::TimePoint>();
  // Where it is while it does not run, and since when.
  WorkspaceState rest = WorkspaceState::STOPPED;
  kj::TimePoint restsSince = kj::origin<kj::TimePoint>();
  // When somebody did something to it, or a rule could not do what it wanted.
  kj::TimePoint touched = kj::origin<kj::TimePoint>();
  kj::TimePoint refused = kj::origin<kj::TimePoint>();
  kj::Vector<kj::Own<void>> visits;
  kj::TimePoint lastVisit = kj::origin<kj::TimePoint>();
  std::map<std::string, kj::TimePoint> locks;
  kj::TimePoint lastLock = kj::origin<kj::TimePoint>();
  kj::TimePoint lastGuest = kj::origin<kj::TimePoint>();
  bool hasCommand = false;
  // So long whoever uses it has to hear of what is due by a policy that has changed, or of a bothyd that has started.
  kj::TimePoint noticeEnd = kj::origin<kj::TimePoint>();

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
  // Of one that rests: the figure of what comes next; 0: nothing does.
  uint32_t restsFor() const {
    if (rest == WorkspaceState::PAUSED) return policy.hibernateAfter;
    return rest == WorkspaceState::HIBERNATED ? policy.expireAfter : 0;
  }
  kj::Duration expiryWarning() const {
    return kj::min(policy.warnExpiry, policy.expireAfter) * kj::SECONDS;
  }
};

class IdleDays final {
public:
  explicit IdleDays(uint64_t seed) : fate(seed) {
    if (fate.oneIn(2)) bed.feedDelay = fate.between(0 * kj::SECONDS, 2 * kj::SECONDS);
    bed.onAct = [this](kj::StringPtr id, IdleRule rule) {
      if (rule == IdleRule::PAUSE) {
        examinePause(id);
      } else {
        examineRest(id, rule);
      }
    };
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
      for (auto& truth : truths) {
        if (bed.at(truth.id).refuses) truth.refused = bed.timer.now();
        examine(truth);
      }
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
    chosen.hibernateAfter = fate.oneIn(6) ? 0 : 10 + fate.below(3600);
    chosen.expireAfter = fate.oneIn(6) ? 0 : 10 + fate.below(4 * 3600);
    chosen.warnExpiry = fate.oneIn(4) ? 0 : fate.below(2 * 3600);
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
  void giveNotice(Truth& truth) {
    const auto& policy = truth.policy;
    auto notice = kj::max(policy.sessionGrace, policy.warnBefore) * kj::SECONDS;
    if (!truth.runs) notice = kj::max(notice, truth.expiryWarning());
    truth.noticeEnd = kj::max(truth.noticeEnd, bed.timer.now() + notice);
  }
  void changePolicy(Truth& truth) {
    truth.policy = policy();
    giveNotice(truth);
    IdleOverrides own;
    if (fate.oneIn(2)) {
      bed.changeTier(truth.id, truth.policy);
    } else {
      for (size_t i = 0; i < IDLE_FIGURES; i++) {
        own.figures[i] = truth.policy.*memberOf(static_cast<IdleFigure>(i));
      }
    }
    bed.changeOwn(truth.id, own);
  }
  // Its machine is not there any more, or stands still.
  void rest(Truth& truth, WorkspaceState where) {
    truth.runs = false;
    truth.rest = where;
    truth.restsSince = bed.timer.now();
  }
  // By somebody, which ends all connections.
  void bring(Truth& truth, WorkspaceState where) {
    rest(truth, where);
    bed.move(truth.id, where, Cause::REQUEST);
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
    truth.touched = now;
    switch (fate.below(14)) {
      case 0:
      case 1:
        // Not everybody wakes it.
        if (!truth.runs && (truth.restsFor() == 0 || !fate.oneIn(4))) begin(truth);
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
        bed.keeper->releaseLock(truth.id, truth.locks.begin()->first.c_str(), "uid 0")
            .wait(bed.scope);
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
        bring(truth, fate.oneIn(2) ? WorkspaceState::PAUSED : WorkspaceState::HIBERNATED);
        break;
      case 9:
        bring(truth, WorkspaceState::STOPPED);
        break;
      case 12: {
        auto& workspace = bed.at(truth.id);
        workspace.refuses = !workspace.refuses;
        workspace.refusesLate = fate.oneIn(2);
        break;
      }
      case 10:
        if (!truth.runs) begin(truth);
        break;
      case 11:
        // Whoever was connected is so no more, and that bothyd does not know it.
        bed.keeper = nullptr;
        for (auto& each : truths) leave(each, each.visits.size());
        for (auto& each : truths) giveNotice(each);
        lastKill = now;
        bed.restart();
        break;
      case 13:
        changePolicy(truth);
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
    const auto before = kj::min(truth.policy.warnBefore, truth.policy.pauseAfter) * kj::SECONDS;
    examineWarning(truth, before, truth.hostUse(now));
    rest(truth, WorkspaceState::PAUSED);
  }
  void examineWarning(Truth& truth, kj::Duration before, kj::TimePoint since) {
    if (before == 0 * kj::SECONDS) return;
    for (auto warned : bed.at(truth.id).warnings) {
      const auto ago = bed.timer.now() - warned;
      if (ago >= before - 1 * kj::SECONDS && warned >= since) return;
    }
    judge.accuse(truth.id, " was put to rest without a warning");
  }
  // What becomes of one that does not run.
  void examineRest(kj::StringPtr id, IdleRule rule) {
    auto& truth = truthOf(id);
    const auto now = bed.timer.now();
    forgetLocks();
    auto name = nameOf(rule);
    if (truth.runs || truth.rest != stepOf(rule).from)
      judge.accuse(id, ": ", name, " of one that is elsewhere");
    if (truth.visits.size() > 0) judge.accuse(id, ": ", name, " while somebody was there");
    if (!truth.locks.empty()) judge.accuse(id, ": ", name, " though a wake lock held");
    // Of a lock that is over a bothyd that starts knows nothing any more.
    auto since = truth.restsSince;
    if (truth.lastLock >= lastKill) since = kj::max(since, truth.lastLock);
    if (truth.restsFor() == 0) judge.accuse(id, ": ", name, ", which it never was to be");
    if (now < since + truth.restsFor() * kj::SECONDS) {
      judge.accuse(id, ": ", name, " ", (now - since) / kj::SECONDS, " s later, and not after ",
                   truth.restsFor());
    }
    if (rule == IdleRule::EXPIRE) examineWarning(truth, truth.expiryWarning(), truth.restsSince);
    rest(truth, stepOf(rule).to);
  }

  // Of one that runs: it does not do so for longer than its policy says.
  void examine(Truth& truth) {
    const auto now = bed.timer.now();
    if (bed.lateOrders > 0) judge.accuse("a rule was to be carried out of what is elsewhere");
    if (truth.visits.size() > 0 || !truth.locks.empty()) return;
    // One that was refused is tried again within the longest pause.
    auto latest = [&](kj::TimePoint due) {
      if (truth.refused == kj::origin<kj::TimePoint>()) return due;
      return kj::max(due, truth.refused + RULE_PAUSES.most);
    };
    if (!truth.runs) {
      if (truth.restsFor() == 0) return;
      auto due = kj::max(truth.restsSince, truth.lastLock) + truth.restsFor() * kj::SECONDS;
      due = kj::max(due, truth.noticeEnd);
      if (truth.rest == WorkspaceState::HIBERNATED) {
        due = kj::max(due, kj::max(truth.touched, lastKill) + truth.expiryWarning());
      }
      if (now > latest(due) + LATE) {
        judge.accuse(truth.id, " is ", truth.rest, " ", (now - latest(due)) / kj::SECONDS,
                     " s after it was to be so no more");
      }
      return;
    }
    if (truth.policy.pauseAfter == 0) return;
    // A bothyd that starts knows no less than since when it does so.
    auto due = kj::max(truth.lastUse(now, lastKill), lastKill) + truth.after();
    due = latest(kj::max(kj::max(due, truth.graceEnd()), truth.noticeEnd));
    if (now > due + LATE) {
      judge.accuse(truth.id, " runs ", (now - due) / kj::SECONDS,
                   " s after it was to be paused because nobody used it");
    }
  }

  void end() {
    for (auto& truth : truths) {
      bring(truth, WorkspaceState::STOPPED);
      bed.changeOwn(truth.id, {});
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

size_t restingLate(uint64_t seed, size_t count) {
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
  bed.pass(31 * kj::DAYS);
  size_t late = 0;
  for (size_t i = 0; i < count; i++) {
    auto& workspace = bed.at(kj::str("w", i));
    const IdlePolicy policy;
    auto due = visits[i].end;
    for (auto& step : IDLE_STEPS) {
      due += policy.*memberOf(step.after) * kj::SECONDS;
      auto& acts = ActivityBed::actsOf(workspace, step.rule);
      if (acts.size() != 1 || acts[0] < due || acts[0] - due > LATE) {
        ++late;
        break;
      }
      due = acts[0];
    }
  }
  return late;
}

}  // namespace bothy
