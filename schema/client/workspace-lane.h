#pragma once

#include <kj/async-io.h>
#include <kj/refcount.h>

#include "lane/lane.h"
#include "schema/agent.capnp.h"
#include "schema/files.capnp.h"

namespace bothy {

// A lane to a workspace's agent, as work over it holds it: counted, and with the boot to which it leads.  Work over it goes on
// until onDisconnect(), whatever becomes of the one who gave it.
//
// Dropping the last reference ends the lane.
class WorkspaceLane final: public kj::Refcounted {
public:
  // `stream`: of a lane for which the Grant has been written; it owns whatever the lane's life depends on.  `timer` outlives the
  // lane.
  WorkspaceLane(kj::Own<kj::AsyncIoStream> stream, kj::Timer& timer, int64_t startedNanos);
  ~WorkspaceLane() noexcept(false);

  // What the lane begins with: `agent()` unless it was wanted for files.  Calls may be made at once; where the agent refuses
  // the lane they fail with DISCONNECTED, and nothing of them was done.
  rpc::Agent::Client agent() { return lane.bootstrap().castAs<rpc::Agent>(); }
  rpc::Files::Client files() { return lane.bootstrap().castAs<rpc::Files>(); }

  // When the workspace was started last (`WorkspaceInfo.startedNanos`).  It names the boot: programs, terminals and request ids of
  // another are gone, and their numbers may be used again.
  int64_t startedNanos() const { return started; }

  // Returns when the agent has answered: none if it serves the lane.  Fails with DISCONNECTED when the lane ends without an
  // answer.
  kj::Promise<kj::Maybe<rpc::Refusal>> whyRefused() { return refusal.addBranch(); }
  // True from the moment at which the agent's refusal is known: before a call has failed for it.
  bool wasRefused() const { return lane.wasRefused(); }

  // Resolves when the lane has ended, whoever ended it; never fails.
  kj::Promise<void> onDisconnect() { return lane.onDisconnect(); }

private:
  const int64_t started;
  Lane lane;
  kj::ForkedPromise<kj::Maybe<rpc::Refusal>> refusal;
};

}  // namespace bothy
