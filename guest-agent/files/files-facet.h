#pragma once

#include <kj/io.h>

#include "process/process-host.h"
#include "schema/files.capnp.h"

namespace bothy {

// Serves `Files` beneath the directory `root`, with the rights of `user` and never more.  `host` outlives
// it; its program's main hands over to archiveWorkerMain() (files/archive-worker.h).
//
// Where the agent has not the privilege to become another (a test), it acts as itself.
kj::Own<rpc::Files::Server> newFilesFacet(ProcessHost& host, kj::AutoCloseFd root,
                                          const User& user);

// The directory at `path`, for newFilesFacet().  FAILED if there is none.
kj::AutoCloseFd openRoot(kj::StringPtr path);

}  // namespace bothy
