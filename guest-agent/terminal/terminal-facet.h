#pragma once

#include "terminal/terminal.h"

namespace bothy {

// Serves `Terminal`.  Dropping it changes nothing for the terminal.
rpc::Terminal::Client newTerminalFacet(kj::Timer& timer, kj::Own<Terminal> terminal);

void writeInfo(const Terminal& terminal, rpc::TerminalInfo::Builder builder);

}  // namespace bothy
