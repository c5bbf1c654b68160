#pragma once

#include <kj/function.h>
#include <kj/io.h>
#include <sys/types.h>

namespace bothy {

// The directory of the kernel's that has a directory for each connection (fusectl), whether or not it is mounted anywhere.  Root alone may list
// it from now on: who lists a directory has its lock meanwhile.  None: the kernel has none.
kj::AutoCloseFd openFuseConnections();

// Asks of each FUSE file system on which somebody waits, with its owner, whether its connection to the server is to be aborted: whoever waits goes
// on with a failure, which SIGKILL alone does not do.  The owner is a user for those that he has mounted, also in a user namespace of his.  How
// many were.  Neither allocates nor takes a lock of this process.
uint abortFuseConnections(int directory, kj::FunctionParam<bool(uid_t owner)> isAborted);

}  // namespace bothy
