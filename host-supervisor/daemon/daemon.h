#pragma once

#include <kj/function.h>
#include <kj/string.h>

#include "workspace/workspace.h"

namespace bothy {

// All of bothyd but the world that it is in.  `within` may put something between the logic of workspaces and the world
// that it gets (tests do); what it refers to must outlive the process's work.  Returns the exit code of the
// process, which SIGTERM ends without a return.
int runDaemon(kj::ArrayPtr<const kj::StringPtr> arguments, kj::FunctionParam<World(World)> within);

}  // namespace bothy
