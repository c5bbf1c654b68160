#pragma once

#include "rpc/lane-registry.h"
#include "schema/agent.capnp.h"
#include "setup/workspace-setup.h"
#include "system/machine-clock.h"
#include "system/machine-sleep.h"

namespace bothy {

// Serves `AgentControl`.  `lanes`, `clock`, `setup` and `sleep` outlive it.
rpc::AgentControl::Client newControlFacet(rpc::System::Client system, LaneRegistry& lanes,
                                          kj::Maybe<MachineClock&> clock,
                                          kj::Maybe<WorkspaceSetup&> setup,
                                          kj::Maybe<MachineSleep&> sleep = nullptr);

}  // namespace bothy
