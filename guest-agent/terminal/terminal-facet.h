#pragma once

#include "process/client-actions.h"
#include "terminal/terminal.h"

namespace bothy {

// What whoever holds a capability of terminals may do with them.
enum class TerminalRights {
  ALL,
  VIEW,  // see Terminals.view of terminal.capnp
};

// Serves `Terminal` to a client.  Dropping it changes nothing for the terminal.
rpc::Terminal::Client newTerminalFacet(kj::Timer& timer, kj::Own<Terminal> terminal,
                                       TerminalRights rights, kj::Own<ClientActions> actions);

// Fails with FAILED where they are only to look.
void requireAll(TerminalRights rights);

void writeInfo(const Terminal& terminal, rpc::TerminalInfo::Builder builder);

}  // namespace bothy
