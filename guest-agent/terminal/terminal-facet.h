#pragma once

#include "terminal/terminal.h"

namespace bothy {

// Serves `Terminal` to one client, who has opened it with the size given, or has found it.  Dropping it changes nothing for the
// terminal.
rpc::Terminal::Client newTerminalFacet(kj::Timer& timer, kj::Own<Terminal> terminal,
                                       kj::Maybe<WindowSize> openedWith);

void writeInfo(const Terminal& terminal, rpc::TerminalInfo::Builder builder);

}  // namespace bothy
