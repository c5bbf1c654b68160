#pragma once

#include "session/terminal-session.h"
#include "usage/usage.h"

namespace bothy {

DetachKeys defaultDetachKeys();

// --detach-keys.
void declareDetachKeys(Usage& usage, DetachKeys& keys);

// A new terminal that runs `command`: the exit code.  `start`: as WorkspaceConnection has it.
kj::Promise<int> runInTerminal(Context& context, kj::StringPtr workspace,
                               const CommandLine& command, DetachKeys keys,
                               kj::Maybe<StartWorkspace> start = nullptr);

}  // namespace bothy
