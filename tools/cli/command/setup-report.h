#pragma once

#include "console/console.h"
#include "schema/workspace.capnp.h"

namespace bothy {

// Of a workspace that runs: tells where its set-up has failed, and what to do.  The exit code.
int reportSetup(Console& console, rpc::WorkspaceInfo::Reader info);

}  // namespace bothy
