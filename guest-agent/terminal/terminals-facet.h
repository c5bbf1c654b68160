#pragma once

#include "process/client-actions.h"
#include "schema/terminal.capnp.h"
#include "terminal/terminal-registry.h"

namespace bothy {

// Serves `Terminals` to a client with those of `registry`, which outlives it.  Dropping the capability changes
// nothing for any terminal.
kj::Own<rpc::Terminals::Server> newTerminalsFacet(TerminalRegistry& registry,
                                                  kj::Own<ClientActions> actions);

}  // namespace bothy
