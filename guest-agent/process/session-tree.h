#pragma once

#include "process/process-tree.h"

namespace bothy {

// A tree known by session and parent, read from /proc: for a machine without cgroup v2.  A process
// that made a session of its own and whose parent has ended is no longer seen.
kj::Own<ProcessTree> newSessionTree(kj::UnixEventPort& eventPort);

}  // namespace bothy
