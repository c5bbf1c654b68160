#pragma once

#include <kj/list.h>
#include <kj/vector.h>

#include "activity/idle-world.h"
#include "activity/wake-lock.h"

namespace bothy {

// Whoever is connected to a workspace over a lane.
struct Visitor {
  // As its lane's grant has it.
  kj::String session;
  kj::String actor;
};

// A lane that somebody holds.
struct Visit {
  Visitor who;
  kj::TimePoint since;
  kj::ListLink<Visit> link;
};

// How one workspace is used, and what is due of it when.  Does nothing itself.
class WorkspaceUse final {
public:
  // Nothing but a start is known of it: its time begins at `now`.
  WorkspaceUse(WorkspaceState state, IdlePolicy tierPolicy, kj::TimePoint now)
      : state(state), tierPolicy(tierPolicy), since(now), hostSince(now) {}
  KJ_DISALLOW_COPY_AND_MOVE(WorkspaceUse);

  WorkspaceState state;
  IdlePolicy tierPolicy;
  IdleOverrides overrides;
  // Since when it is in this state; or has run without anything that kept it awake, as an earlier bothyd has stored it.
  kj::TimePoint since;
  // When somebody wanted it to run: from then on the guest's own word counts.
  kj::TimePoint hostSince;
  // Nothing is done before: of one that a bothyd has found, or whose policy has changed, or where a rule has failed.
  kj::Maybe<kj::TimePoint> notBefore;

  kj::List<Visit, &Visit::link> visits;
  kj::Maybe<kj::TimePoint> lastVisit;  // its end
  kj::Vector<WakeLock> locks;
  kj::Maybe<kj::TimePoint> lastLock;   // the end of one that is over
  GuestUse guest;                      // as it was told last
  kj::Maybe<kj::TimePoint> lastGuest;  // when it was last used, by that

  IdlePolicy policy() const { return overrides.over(tierPolicy); }

  // Of one that runs: its last use, which is to come where a wake lock holds; none: it is in use, without an end that is known.
  kj::Maybe<kj::TimePoint> lastUse(kj::TimePoint now) const;
  // When the rule of its state is to be carried out.  None: it has none, or is in use.
  kj::Maybe<kj::TimePoint> due(kj::TimePoint now) const;
  // When an event is to say that it will be.
  kj::Maybe<kj::TimePoint> warningDue(kj::TimePoint now) const;
  // Its warning is told now, or was told at `warned`.
  void noteWarning(kj::TimePoint now) { noteWarning(now, now); }
  void noteWarning(kj::TimePoint warned, kj::TimePoint now);
  bool isWarned(kj::TimePoint now) const;
  // None: it was not told, or the state is another since.
  const kj::Maybe<kj::TimePoint>& lastWarning() const { return warnedAt; }

  // A session that has lost its last connection has not ended before.
  kj::Maybe<kj::TimePoint> graceEnd() const;
  // When its last use has been so long ago that whoever has left will hardly come back at once: it is stored from then on.
  kj::Maybe<kj::TimePoint> settledAt(kj::TimePoint now) const;
  // The first end of a wake lock.
  kj::Maybe<kj::TimePoint> firstLockEnd() const;

  // Until when what the guest says counts.
  kj::TimePoint guestBound(kj::TimePoint now) const;
  // What the guest says, at this moment.
  void hear(GuestUse told, kj::TimePoint now);
  // It is in this state since `now`; or where a rule has come to nothing, as long as before.
  enum class By { ANYBODY, RULE };
  void enter(WorkspaceState next, kj::TimePoint now, By by = By::ANYBODY);
  // From now on it has this policy.  Where something is due earlier for that, whoever uses it has at least the time of its warning.
  void follow(IdlePolicy tier, const IdleOverrides& own, kj::TimePoint now);
  // Its guest has asked for a reboot, which is no use that this host knows of.
  void reboot() { isRebooting = true; }
  // It may come back to where it was.
  bool isComingBack() const { return isRebooting || leaving != nullptr; }

private:
  kj::Maybe<kj::TimePoint> warnedOf;
  kj::Maybe<kj::TimePoint> warnedAt;
  // Where a rule takes it from.
  kj::Maybe<WorkspaceState> leaving;
  bool isRebooting = false;

  // Without `notBefore`.
  kj::Maybe<kj::TimePoint> wouldBeDue(kj::TimePoint now) const;
  // Of one that does not run: since when nobody wants it; none: somebody does.
  kj::Maybe<kj::TimePoint> lastWanted() const;
  kj::Duration warningOf(const IdleStep& step) const;
  // Of one whose policy changes: so long at least to what is due by it.
  kj::Duration noticeOf(const IdleStep& step) const;
};

}  // namespace bothy
