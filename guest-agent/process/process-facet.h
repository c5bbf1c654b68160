#pragma once

#include "process/execution.h"

namespace bothy {

// Serves `Process`.  Dropping it abandons the execution: see there.
rpc::Process::Client newProcessFacet(kj::Own<Execution> execution);

}  // namespace bothy
