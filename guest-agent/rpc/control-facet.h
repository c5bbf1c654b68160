#pragma once

#include "rpc/lane-registry.h"
#include "schema/agent.capnp.h"
#include "system/machine-clock.h"

namespace bothy {

// Serves `AgentControl`.  `lanes` and `clock` outlive it.
rpc::AgentControl::Client newControlFacet(rpc::System::Client system, LaneRegistry& lanes,
                                          kj::Maybe<MachineClock&> clock);

}  // namespace bothy
