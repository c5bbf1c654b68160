#pragma once

#include <kj/function.h>

#include "client/reconnection.h"
#include "session/context.h"
#include "supervisor/started-lanes.h"
#include "supervisor/supervisor-lanes.h"

namespace bothy {

// Starts a workspace that does not run: see StartedLanes.
using StartWorkspace = kj::Function<kj::Promise<void>()>;

// A Reconnection by lanes from bothyd, of which the user is told, a line at a time, what is waited for.
class WorkspaceConnection final: private Reconnection::Listener {
public:
  // `patience`: how long bothyd or the workspace may be away.  `start`: for who wants the workspace started where it has just
  // stopped.  `howToWake`: what wakes a paused workspace from within this program, for people.  What is borrowed outlives it.
  WorkspaceConnection(Context& context, kj::StringPtr workspace, WantedLane wanted,
                      kj::Duration patience, kj::Function<void(kj::StringPtr)> notice,
                      kj::Maybe<StartWorkspace> start = nullptr, kj::StringPtr howToWake = nullptr);
  KJ_DISALLOW_COPY_AND_MOVE(WorkspaceConnection);

  Reconnection& reconnection() { return lanes; }
  // Somebody wants the workspace now: where it is paused, it is resumed.
  void wake() { source.wake(); }

private:
  const kj::StringPtr workspace;
  kj::Function<void(kj::StringPtr)> notice;
  SupervisorLanes source;
  kj::Maybe<StartedLanes> startedLanes;
  Reconnection lanes;
  bool wasStallNoted = false;

  void onAway(kj::Duration patience) override;
  void onDelay(const kj::Exception& why, kj::Duration patience) override;
  void onStall(kj::StringPtr why) override;
  void onLaneEnd(rpc::LaneEnd why) override;
  kj::Exception describe(Reconnection::GaveUp why) override;
};

}  // namespace bothy
