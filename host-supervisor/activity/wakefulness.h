#pragma once

#include "activity/workspace-use.h"

namespace bothy {

// Why a workspace is awake, or not, and what comes next, for whoever asks.  Times since 1970; 0: none.
struct Wakefulness {
  struct Reason {
    // The numbers are those of AwakeReason.Kind in activity.capnp.
    enum class Kind : uint8_t {
      SESSION = 1,        // somebody is connected
      GRACE = 2,          // the last connection is lost, and its session has not ended yet
      WAKE_LOCK = 3,      // somebody keeps it awake
      INPUT = 4,          // somebody has typed: as the guest says
      COMMANDS = 5,       // programs run: as the guest says
      EARLIER_LANES = 6,  // connections from before a restart of bothyd: as the guest says
      NO_ANSWER = 7,      // the guest does not answer, and may be busy
      GUEST_LOCK = 8,     // programs of the guest keep it awake: as the guest says
      SETTING_UP = 9,     // its set-up is not at its end: as the guest says
    };
    Kind kind;
    // Of a wake lock.
    kj::String id;
    // Whose, and for people.
    kj::String who;
    kj::String detail;
    int64_t sinceNanos = 0;
    int64_t untilNanos = 0;
    // It counts by the policy.
    bool counts = true;
  };

  WorkspaceState state = WorkspaceState::STOPPED;
  IdlePolicy policy;
  IdleOverrides overrides;
  // Of one that runs.
  kj::Vector<Reason> reasons;
  // Its last use; 0: it is in use.
  int64_t idleNanos = 0;
  // What comes next unless it is used; none: nothing.
  struct Next {
    IdleRule rule;
    int64_t atNanos;
    bool isWarned;
    // Why the last try came to nothing; empty: none did.
    kj::String failure = nullptr;
  };
  kj::Maybe<Next> next;
  // The rule by which it is as it is, or is just becoming so.
  struct Past {
    IdleRule rule;
    int64_t atNanos;
  };
  kj::Maybe<Past> past;
};

// What `use` says at this moment, which is both `now` and `wallNow`.  Without `past`.
Wakefulness describe(const WorkspaceUse& use, kj::TimePoint now, int64_t wallNow);

}  // namespace bothy
