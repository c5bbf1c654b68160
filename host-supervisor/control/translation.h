#pragma once

#include "schema/supervisor.capnp.h"
#include "workspace/workspace.h"

namespace bothy {

// Domain values as messages.

rpc::WorkspaceState toRpc(WorkspaceState state);
rpc::Stage toRpc(Stage stage);
rpc::Cause toRpc(Cause cause);

void fill(rpc::WorkspaceInfo::Builder info, const WorkspaceRow& row, kj::StringPtr accelerator);
void fill(rpc::Supervisor::StartFailure::Builder failure, const StartReport::Failure& from);
void fill(rpc::Event::Builder event, const EventRecord& from);

// Of the machine, when it runs.
kj::StringPtr acceleratorName(const HostAbilities& abilities);
kj::StringPtr vsockName(const HostAbilities& abilities);

}  // namespace bothy
