#pragma once

#include <kj/one-of.h>
#include <kj/string.h>

#include "client/workspace-lane.h"

namespace bothy {

// Why there is no lane to a workspace.
struct NoLane {
  enum class Kind {
    FINAL,    // asking again does not help
    PASSES,   // by itself: whoever has patience asks again
    STALLED,  // the machine stands still: it is waited for however long that takes
    PAUSED,   // the same where somebody has paused it: `over` tells when to ask again
    AWAY,     // who gives lanes is not there
  };
  Kind kind;
  // In the words of the source, for whoever gives up.
  kj::Exception reason;
  // With STALLED and PAUSED: why, for people.
  kj::String stall;
  // With PAUSED.  Where it fails it is asked again, too.
  kj::Promise<void> over = nullptr;
};

// Where the lanes to a workspace come from, and what they are wanted for: bothyd, by its socket, or whatever else has streams.
// An implementation knows how they come; nobody who uses it does.
class LaneSource {
public:
  using Opened = kj::OneOf<kj::Own<WorkspaceLane>, NoLane>;

  // A new lane.  Whether the agent takes it need not be known yet: WorkspaceLane::whyRefused() tells.  Fails with DISCONNECTED or
  // OVERLOADED where another call may do better.
  virtual kj::Promise<Opened> open() = 0;

  // What it means that the agent has refused a lane of this source.
  virtual NoLane refused(rpc::Refusal why) = 0;
};

}  // namespace bothy
