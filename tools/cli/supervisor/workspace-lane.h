#pragma once

#include <kj/async-io.h>
#include <kj/one-of.h>
#include <kj/refcount.h>

#include "lane/lane.h"
#include "schema/agent.capnp.h"
#include "schema/files.capnp.h"
#include "supervisor/connector.h"

namespace bothy {

// What a lane is wanted for: a LaneRequest (supervisor.capnp) as a value.
struct WantedLane {
  rpc::LaneRequest::Which purpose;
  // Of a lane for files.  `user` outlives the value.
  kj::StringPtr user = ""_kj;
  rpc::FileAccess access = rpc::FileAccess::NONE;

  static WantedLane interactive() { return {rpc::LaneRequest::INTERACTIVE}; }
  static WantedLane commands() { return {rpc::LaneRequest::COMMANDS}; }
  static WantedLane files(kj::StringPtr user, rpc::FileAccess access) {
    return {rpc::LaneRequest::FILES, user, access};
  }

  void writeTo(rpc::LaneRequest::Builder request) const;
};

// Why there is no lane to a workspace.
struct NoLane {
  // A failure() that says what to do.
  kj::Exception reason;
  // It passes by itself: whoever has patience asks again.
  bool passes;
  // The machine stands still: why, for people.
  kj::Maybe<kj::String> stalled;
};

// A lane to a workspace's agent, and the connection to bothyd that it came over: together, because bothyd ends a lane when
// its client is gone.  The lane does not need bothyd otherwise: work over it goes on where only that connection
// is lost, and ends with onDisconnect().
//
// Dropping the last reference ends the lane.
class WorkspaceLane final: public kj::Refcounted {
public:
  using Opened = kj::OneOf<kj::Own<WorkspaceLane>, NoLane>;
  // Asks bothyd for a lane: one round trip.  Whether the agent takes it is not known yet: whyRefused() tells.  Fails with
  // DISCONNECTED when the connection does.  `eventPort` outlives the lane, `workspace` the lane and the promise.
  static kj::Promise<Opened> open(kj::Own<SupervisorLink> link, kj::UnixEventPort& eventPort,
                                  kj::StringPtr workspace, WantedLane wanted);

  // Only open() makes one.
  WorkspaceLane(kj::Own<SupervisorLink> link, kj::Own<kj::AsyncIoStream> stream, kj::Timer& timer,
                kj::StringPtr workspace, kj::StringPtr user, int64_t startedNanos);
  ~WorkspaceLane() noexcept(false);

  // What the lane begins with: `agent()` unless it was wanted for files.  Calls may be made at once; where the agent refuses
  // the lane they fail with DISCONNECTED, and nothing of them was done.
  rpc::Agent::Client agent() { return lane.bootstrap().castAs<rpc::Agent>(); }
  rpc::Files::Client files() { return lane.bootstrap().castAs<rpc::Files>(); }

  // When the workspace was started last (`WorkspaceInfo.startedNanos`): the boot to which the lane leads.
  int64_t startedNanos() const { return started; }

  // Returns when the agent has answered: none if it serves the lane.  Fails with DISCONNECTED when the lane ends without an
  // answer.
  kj::Promise<kj::Maybe<NoLane>> whyRefused();
  // True from the moment at which the agent's refusal is known: before a call has failed for it.
  bool wasRefused() const { return lane.wasRefused(); }

  // Resolves when the lane has ended, whoever ended it; never fails.  That the connection to bothyd has ended is no reason.
  kj::Promise<void> onDisconnect() { return lane.onDisconnect(); }

private:
  const kj::StringPtr workspace;
  const kj::String user;
  const int64_t started;
  // Outlives the lane: the Lane capability came over it.
  kj::Own<SupervisorLink> link;
  Lane lane;
  kj::ForkedPromise<kj::Maybe<rpc::Refusal>> refusal;
};

}  // namespace bothy
