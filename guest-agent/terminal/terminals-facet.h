#pragma once

#include "schema/terminal.capnp.h"
#include "terminal/terminal-registry.h"

namespace bothy {

// Serves `Terminals` with those of `registry`, which outlives it.  Dropping the capability changes
// nothing for any terminal.
kj::Own<rpc::Terminals::Server> newTerminalsFacet(TerminalRegistry& registry);

}  // namespace bothy
