#pragma once

#include <kj/async-io.h>
#include <kj/refcount.h>

#include "lane/lane.h"
#include "schema/agent.capnp.h"
#include "schema/files.capnp.h"
#include "schema/supervisor.capnp.h"

namespace bothy {

// A lane to a workspace's agent, as work over it holds it: counted, and with the boot to which it leads.  Work over it goes on
// until onDisconnect(), whatever becomes of the one who gave it.
//
// Dropping the last reference ends the lane.
class WorkspaceLane final: public kj::Refcounted {
public:
  // `stream`: of a lane for which the Grant has been written; it owns whatever the lane's life depends on.  `timer` outlives the
  // lane.  `life`: the capability that the stream came with, if it came from bothyd.
  WorkspaceLane(kj::Own<kj::AsyncIoStream> stream, kj::Timer& timer, int64_t startedNanos,
                kj::Maybe<rpc::Lane::Client> life = nullptr);
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
  kj::Promise<kj::Maybe<rpc::Refusal>> whyRefused();
  // The protocol generation that is spoken (Welcome), when the agent has answered.  Fails with DISCONNECTED where there is none.
  kj::Promise<uint16_t> generation();
  // True from the moment at which the agent's refusal is known: before a call has failed for it.
  bool wasRefused() const { return lane.wasRefused(); }

  // Resolves when the lane has ended, whoever ended it; never fails.
  kj::Promise<void> onDisconnect() { return lane.onDisconnect(); }

  // True from the moment at which nothing more can come from the agent, see Lane::hasEnded().
  bool hasEnded() const { return lane.hasEnded(); }
  // For a lane that has ended: why, as bothyd has it.  None: nobody can say, because bothyd or the connection to it ended too, or because
  // the lane is none of bothyd's.  Never returns where bothyd knows of no end.  This object outlives the promise: of a lane that was
  // dropped no reason is told.
  kj::Promise<kj::Maybe<rpc::LaneEnd>> whyEnded();

private:
  const int64_t started;
  Lane lane;
  kj::ForkedPromise<LaneAnswer> answer;
  kj::Maybe<rpc::Lane::Client> life;
};

}  // namespace bothy
