#pragma once

#include "system/machine-control.h"

namespace bothy {

// Serves `System` for the machine, which outlives the capability.
kj::Own<rpc::System::Server> newSystemFacet(MachineControl& machine);

}  // namespace bothy
