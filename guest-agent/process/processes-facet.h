#pragma once

#include <kj/function.h>

#include "process/client-actions.h"
#include "process/programs.h"
#include "schema/process.capnp.h"

namespace bothy {

// Makes what serves `Processes` to one client, whose actions are told.  Dropping such a capability ends no
// process: each Process does for itself.
using ProcessesFacets =
    kj::Function<kj::Own<rpc::Processes::Server>(kj::Own<ClientActions> actions)>;

// All clients have the same ones, of `programs`, which outlives what this makes.
ProcessesFacets newProcessesFacets(Programs& programs);

}  // namespace bothy
