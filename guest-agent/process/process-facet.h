#pragma once

#include "process/kept-executions.h"
#include "schema/process.capnp.h"

namespace bothy {

// Serves `Process`.  Dropping it abandons the execution: see there.
rpc::Process::Client newProcessFacet(kj::Own<Execution> execution);

// The same for a kept execution: dropping the capability releases its hold, and the program runs on.
rpc::Process::Client newKeptProcessFacet(kj::Own<KeptExecutions> kept, uint64_t id);

}  // namespace bothy
