#pragma once

#include <kj/io.h>

#include "files/file-counts.h"
#include "files/files-limits.h"
#include "files/workspace-root.h"
#include "process/programs.h"
#include "schema/files.capnp.h"

namespace bothy {

// Serves `Files` beneath `root`, with the rights and the umask of this process.  `home` is what the user is told.  It is that of one lane, and
// shares `limits` with those of the others.  They, `programs` and `root` outlive it; what is done is counted in `counters`.  Its program's
// main hands over to archiveWorkerMain() (files/archive-worker.h).
kj::Own<rpc::Files::Server> newFilesFacet(Programs& programs, const WorkspaceRoot& root,
                                          kj::StringPtr home, FilesLimits& limits,
                                          kj::Own<FileCounters> counters);

// The directory at `path`, for WorkspaceRoot.  FAILED if there is none.
kj::AutoCloseFd openRoot(kj::StringPtr path);

}  // namespace bothy
