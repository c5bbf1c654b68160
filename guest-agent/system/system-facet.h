#pragma once

#include "system/machine-control.h"

namespace bothy {

// Serves `System` for the machine, which outlives the capability.
rpc::System::Client newSystemFacet(MachineControl& machine);

}  // namespace bothy
