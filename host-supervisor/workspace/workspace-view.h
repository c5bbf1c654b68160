#pragma once

#include "store/records.h"

namespace bothy {

// What is known of a workspace at a moment, for whoever is shown it.  Its texts are those of whom it was asked of.
struct WorkspaceView {
  kj::StringPtr name;
  kj::StringPtr id;
  kj::StringPtr image;
  uint32_t cpus = 0;
  uint32_t memoryMib = 0;
  uint32_t diskMib = 0;
  // Empty: none.
  kj::StringPtr tier;
  // Whose it is, and what he calls it; empty: nobody's.
  kj::StringPtr user;
  kj::StringPtr userName;
  // Of the host where it is.
  kj::StringPtr host;
  // As WorkspaceRow has them.
  kj::StringPtr labels;
  uint32_t setupSteps = 0;
  uint32_t setupDone = 0;
  kj::StringPtr setupFailure;
  struct Figures {
    uint32_t cpus;
    uint32_t memoryMib;
    uint32_t diskMib;
  };
  // What it has from its next start on, where that is something else.
  kj::Maybe<Figures> atNextStart;
  WorkspaceState state = WorkspaceState::STOPPED;
  // Of FAILED: why, one line.
  kj::StringPtr failure;
  int64_t createdNanos = 0;
  // When it ran the last time, or somebody did something in it, as far as that is known; 0: never.
  int64_t lastActiveNanos = 0;
  // Of one whose machine is up.
  int64_t startedNanos = 0;
  kj::StringPtr agentVersion;
  // Of one that is paused: since when.
  int64_t pausedNanos = 0;
  struct Sleep {
    int64_t sinceNanos = 0;
    uint64_t bytes = 0;
  };
  // Of one that is hibernated, or was until just now.
  Sleep sleep;
  // The rest only of one that runs, or is paused.
  bool isStalled = false;
  struct Activity {
    kj::Maybe<kj::Duration> sinceInput;  // none: no terminal was given any
    uint32_t commands = 0;
    uint32_t terminals = 0;
  };
  // None: nothing is known of it yet.
  kj::Maybe<Activity> activity;
  // Why bothyd, which was started anew, has not taken its machine over; empty if it has.
  kj::StringPtr unreachable;
};

}  // namespace bothy
