#pragma once

#include "process/process-host.h"
#include "schema/process.capnp.h"

namespace bothy {

// Serves `Processes` with the programs of `host`, which outlives it.  Dropping the capability ends no
// process: each Process does for itself.
kj::Own<rpc::Processes::Server> newProcessesFacet(ProcessHost& host);

}  // namespace bothy
