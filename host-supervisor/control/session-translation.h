#pragma once

#include "schema/session.capnp.h"
#include "schema/supervisor.capnp.h"
#include "session/session-registry.h"

namespace bothy {

// Sessions as messages.

rpc::SessionEnd toRpc(SessionEnd why);

SessionRights rightsOf(rpc::SessionRights::Reader from);
void fill(rpc::SessionRights::Builder rights, const SessionRights& from);
// `manager` knows the name of its workspace.
void fill(rpc::SessionInfo::Builder info, const Session& from, WorkspaceManager& manager);

}  // namespace bothy
