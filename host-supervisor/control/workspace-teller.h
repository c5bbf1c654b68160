#pragma once

#include "activity/activity-keeper.h"
#include "schema/supervisor.capnp.h"
#include "session/session-rights.h"
#include "workspace/workspace.h"

namespace bothy {

// Tells clients of workspaces, all in one way.
class WorkspaceTeller final {
public:
  // Both outlive it.
  WorkspaceTeller(const HostAbilities& abilities, ActivityKeeper& activity)
      : abilities(abilities), activity(activity) {}

  // What operators are told.
  void tell(rpc::WorkspaceInfo::Builder info, const WorkspaceView& view) const;
  void tell(rpc::Supervisor::StartOutcome::Builder outcome, const WorkspaceView& view,
            const Workspace::StartOutcome& from) const;

  // `view` as far as whoever has a session with these rights may see it: nothing of the platform's (whose it is, labels, host), and what a step of
  // its set-up has said where he might read that in the workspace as well.
  static WorkspaceView forSession(WorkspaceView view, const SessionRights& rights);

private:
  const HostAbilities& abilities;
  ActivityKeeper& activity;
};

}  // namespace bothy
