#pragma once

#include "process/process-host.h"
#include "schema/process.capnp.h"

namespace bothy {

// Serves `Processes` with the programs of `host`, which outlives it.  Dropping the capability ends no
// process: each Process does for itself.
rpc::Processes::Client newProcessesFacet(ProcessHost& host);

}  // namespace bothy
