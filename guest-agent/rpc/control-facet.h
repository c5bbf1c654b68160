#pragma once

#include "rpc/lane-registry.h"
#include "schema/agent.capnp.h"

namespace bothy {

// Serves `AgentControl`.  `lanes` outlives it.
rpc::AgentControl::Client newControlFacet(rpc::System::Client system, LaneRegistry& lanes);

}  // namespace bothy
