#pragma once

#include "store/records.h"

namespace bothy {

// The life of a workspace, as tables without effects: README.md draws it.

enum class Wish { START, STOP, DELETE, RESIZE };

enum class Reply {
  BEGIN,    // begin it
  JOIN,     // it is under way: wait for the same end
  ALREADY,  // nothing to do
  BUSY,     // something else is under way that excludes it
};

Reply replyTo(Wish wish, WorkspaceState state);

// Whether a machine of it may be on the host.
bool mayRun(WorkspaceState state);

enum class Happening {
  DISK_MADE,
  START_BEGAN,
  AGENT_ANSWERED,
  START_FAILED,
  STOP_BEGAN,
  MACHINE_ENDED,  // as asked, or turned off from within
  MACHINE_BROKE,  // nobody asked
  GUEST_REBOOTED,
  DELETE_BEGAN,
  RESIZE_BEGAN,
  RESIZE_ENDED,
};

// The state after it; nullptr if it cannot happen in `state`, which is a bug of the caller.
kj::Maybe<WorkspaceState> stateAfter(WorkspaceState state, Happening happening);

// What a supervisor that starts does with a workspace that it finds.
enum class Recovery {
  KEEP,          // nothing was under way
  ERASE,         // half-made: nobody was told that it exists
  ADOPT,         // it runs: take the machine over
  FINISH_START,  // its machine runs: wait for the agent
  FINISH_STOP,   // its machine runs: end it
  MARK_STOPPED,  // its machine is gone
  REBOOT,        // its guest had asked for a boot that did not come to be
  FINISH_DELETE,
  FINISH_RESIZE,
};

// `rebooting`: see WorkspaceRow.
Recovery recoveryOf(WorkspaceState state, bool machineRuns, bool rebooting);

}  // namespace bothy
