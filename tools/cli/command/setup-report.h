#pragma once

#include "console/console.h"
#include "schema/workspace.capnp.h"

namespace bothy {

// Of a workspace that runs: tells where its set-up has failed, and what to do.  The exit code.
int reportSetup(Console& console, rpc::WorkspaceInfo::Reader info);

// Of one that was started, in words and not for programs: `text` where it runs, or what has become of it meanwhile; and its set-up.  The exit code.
int reportStart(Console& console, rpc::WorkspaceInfo::Reader info, kj::StringPtr text);

}  // namespace bothy
