#pragma once

#include "console/option-parser.h"
#include "session/terminal-session.h"

namespace bothy {

// --detach-keys.
void addDetachKeys(OptionParser& parser, DetachKeys& keys);

// A new terminal that runs `command`: the exit code.
kj::Promise<int> runInTerminal(Context& context, kj::StringPtr workspace,
                               const CommandLine& command, DetachKeys keys);

}  // namespace bothy
