#pragma once

#include "process/loop-touches.h"
#include "system/machine-control.h"

namespace bothy {

// Serves `System` for the machine, which outlives the capability.  `mark`: of those who may list its control groups and processes.
kj::Own<rpc::System::Server> newSystemFacet(MachineControl& machine, ProgramMark mark);

}  // namespace bothy
