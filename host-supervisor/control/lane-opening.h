#pragma once

#include "activity/activity-keeper.h"
#include "control/lane-keeper.h"
#include "control/rpc-progress.h"
#include "control/wanted-lane.h"
#include "session/session-registry.h"
#include "workspace/workspace.h"

namespace bothy {

// How a client comes to a lane, whoever it asks.
class LaneOpening final {
public:
  // All of it outlives it.
  LaneOpening(LaneKeeper& lanes, SessionRegistry& sessions, ActivityKeeper& activity,
              kj::ArrayPtr<const VerbGeneration> newerVerbs)
      : lanes(lanes), sessions(sessions), activity(activity), newerVerbs(newerVerbs) {}
  KJ_DISALLOW_COPY_AND_MOVE(LaneOpening);

  struct Unsupported {
    kj::StringPtr why;
  };
  struct NotAllowed {
    kj::StringPtr why;
  };
  // What the client may have of what it wants.
  using Granted = kj::OneOf<LaneGrant, Unsupported, NotAllowed>;

  struct NotRunning {
    WorkspaceState state;
  };
  struct Unreachable {
    kj::String why;
  };
  struct Stalled {};
  struct AgentTooOld {
    uint16_t generation;
  };
  // The session has ended meanwhile.
  struct Ended {};
  using Outcome = kj::OneOf<rpc::Lane::Client, NotRunning, Unreachable, Stalled, Unsupported,
                            NotAllowed, AgentTooOld, Ended>;
  // Resumes a workspace that is paused or hibernated, and tells of that.
  struct Waking {
    kj::Maybe<kj::Own<Progress>> progress;
    // Who asks, as EventRecord has him.
    kj::String actor;
    // Also one that has expired, which is made anew.
    bool makesAnew = true;
  };
  // Of a call that may ask for it.
  template <typename Params>
  static kj::Maybe<Waking> wakingOf(Params params, kj::StringPtr actor) {
    if (!params.getWake()) return nullptr;
    return Waking{progressOf(params), kj::str(actor)};
  }
  // Of a session's call, as far as its rights go.
  template <typename Params>
  static kj::Maybe<Waking> wakingOf(Params params, kj::StringPtr actor,
                                    const SessionRights& rights) {
    if (!params.getWake() || !rights.mayWake()) return nullptr;
    return Waking{progressOf(params, rights.maySeeSetup()), kj::str(actor), rights.mayStart()};
  }
  // `session`: whose lane it is, which ends with it.  Fails with OVERLOADED where the client has as many lanes as it may.
  kj::Promise<Outcome> open(kj::Own<Workspace> workspace, Granted granted, ClientIdentity client,
                            kj::Maybe<Waking> waking,
                            kj::Maybe<kj::Own<Session>> session = nullptr);

private:
  LaneKeeper& lanes;
  SessionRegistry& sessions;
  ActivityKeeper& activity;
  const kj::ArrayPtr<const VerbGeneration> newerVerbs;
};

// All but the one of a lane.
void fill(rpc::Supervisor::ConnectOutcome::Builder outcome, const LaneOpening::Outcome& from);

}  // namespace bothy
