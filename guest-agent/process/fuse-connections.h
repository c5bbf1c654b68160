#pragma once

#include <kj/function.h>
#include <kj/io.h>
#include <sys/types.h>

namespace bothy {

// FUSE file systems on which somebody waits, by their owners: a user for those that he has mounted, also in a user namespace of his.
enum class FuseOwner {
  USER,      // the one who is named
  ANY_USER,  // all but root
  ANYBODY,
};

// The directory of the kernel's that has a directory for each connection (fusectl), whether or not it is mounted anywhere.  Root alone may list
// it from now on: who lists a directory has its lock meanwhile.  None: the kernel has none.
kj::AutoCloseFd openFuseConnections();

// Aborts the connections of such to their servers: whoever waits goes on with a failure, which SIGKILL alone does not do.  How many.
// Neither allocates nor takes a lock of this process.
//
// `goesOn` is called after each, with its owner: no other is aborted if it returns false.
uint abortFuseConnections(int directory, FuseOwner whose, uid_t user,
                          kj::FunctionParam<bool(uid_t)> goesOn);
inline uint abortFuseConnections(int directory, FuseOwner whose, uid_t user) {
  return abortFuseConnections(directory, whose, user, [](uid_t) { return true; });
}

}  // namespace bothy
