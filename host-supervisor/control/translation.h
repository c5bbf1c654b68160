#pragma once

#include "doctor/finding.h"
#include "schema/supervisor.capnp.h"
#include "tier/tier-table.h"
#include "workspace/workspace-spec.h"
#include "workspace/workspace.h"

namespace bothy {

// Domain values as messages.

rpc::WorkspaceState toRpc(WorkspaceState state);
rpc::Stage toRpc(Stage stage);
rpc::Cause toRpc(Cause cause);
rpc::Verdict toRpc(Verdict verdict);

// Fails for a state that this bothyd does not know.
WorkspaceState fromRpc(rpc::WorkspaceState state);

// Or what is wrong with its labels or its configuration, one line.
kj::OneOf<GivenSpec, kj::String> fromRpc(rpc::WorkspaceSpec::Reader spec);

void fill(rpc::Supervisor::StartFailure::Builder failure, const StartReport::Failure& from);
void fill(rpc::Supervisor::Underway::Builder underway, const Underway& from);
void fill(rpc::Event::Builder event, const EventRecord& from);
void fill(rpc::Finding::Builder finding, const Finding& from);
void fill(rpc::Tier::Builder tier, const Tier& from);
void fill(rpc::TierPlan::Builder told, const TierPlan& plan);
void fill(rpc::Shortage::Builder shortage, const Shortage& from);
void fill(rpc::Capacity::Builder capacity, const HostCapacity& from, uint64_t freeDiskMib);

// Of the machine, when it runs.
kj::StringPtr acceleratorName(const HostAbilities& abilities);
kj::StringPtr vsockName(const HostAbilities& abilities);

}  // namespace bothy
