#pragma once

#include "session/command-line.h"
#include "session/context.h"
#include "session/workspace-connection.h"

namespace bothy {

enum class ProcessInput { NONE, FORWARDED };

// Runs a command in a workspace without a terminal: its exit code.  Output goes where bothy's goes, or
// with JSON is collected and printed at the end.  SIGINT, SIGTERM, SIGHUP and SIGQUIT are passed on; the second
// one gives up, which ends the command, but for SIGQUIT: it asks some programs for a dump and for no end.
// `start`: as WorkspaceConnection has it.
kj::Promise<int> runProcess(Context& context, kj::StringPtr workspace, const CommandLine& command,
                            ProcessInput input, kj::Maybe<StartWorkspace> start = nullptr);

}  // namespace bothy
