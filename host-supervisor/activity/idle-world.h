#pragma once

#include <kj/async.h>
#include <kj/function.h>

#include "activity/idle-rules.h"

namespace bothy {

// What a guest says of its use at this moment.  Nobody else knows it, so it counts for a time only (IdlePolicy::mostGuestWake).
struct GuestUse {
  // Its agent has answered.  One that does not may be busy: it counts as used.
  bool isAnswered = true;
  kj::Maybe<kj::TimePoint> lastInput = nullptr;
  // Programs that run, and when one did last.
  uint32_t commands = 0;
  kj::Maybe<kj::TimePoint> lastCommand = nullptr;
  // Its set-up steps are being done.
  bool isSettingUp = false;
  // That an earlier bothyd has granted, of which this one knows nothing.
  uint32_t earlierLanes = 0;
  // Wake locks that programs of the guest hold, and when there was one last; and of the one that ends last whose it is, what for, and when.
  uint32_t wakes = 0;
  kj::Maybe<kj::TimePoint> lastWake = nullptr;
  uint32_t wakeUid = 0;
  kj::String wakeLabel = nullptr;
  kj::TimePoint wakeUntil = kj::origin<kj::TimePoint>();

  GuestUse clone() const {
    return {isAnswered, lastInput, commands, lastCommand,        isSettingUp, earlierLanes,
            wakes,      lastWake,  wakeUid,  kj::str(wakeLabel), wakeUntil};
  }
};

// Workspaces, as those see them who decide what becomes of the ones that nobody uses.
class IdleWorld {
public:
  struct Seen {
    WorkspaceState state = WorkspaceState::STOPPED;
    // Of its tier, or of those without one.
    IdlePolicy policy = {};
    // Since when it is paused or hibernated, since 1970; 0: it is neither, or that is not known.
    int64_t sinceNanos = 0;
  };
  // None: there is no such workspace.
  virtual kj::Maybe<Seen> see(kj::StringPtr id) = 0;
  // Calls it with the id of each that is in this state.
  virtual void forEachIn(WorkspaceState state, kj::FunctionParam<void(kj::StringPtr id)> act) = 0;

  // Never fails; takes as long as an agent may take.
  virtual kj::Promise<GuestUse> askGuest(kj::StringPtr id) = 0;

  // Tells whoever watches.  `actor`: who asked for it; empty: nobody did.
  virtual void tell(kj::StringPtr id, Cause cause, kj::StringPtr detail, kj::StringPtr actor) = 0;

  // Does what the rule says, unless `isStillDue` says no at the last moment at which it can be left undone.  `detail`: of its event.
  struct Done {
    enum Kind {
      YES,
      NOT_DUE,
      NO,  // it could not be done, or something else is under way
    };
    Kind kind;
    // Of NO: why, one line for people.
    kj::String why = nullptr;
  };
  virtual kj::Promise<Done> carryOut(IdleRule rule, kj::StringPtr id, kj::String detail,
                                     kj::Function<bool()> isStillDue) = 0;
};

}  // namespace bothy
