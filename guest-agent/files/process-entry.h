#pragma once

#include <kj/string.h>
#include <stdint.h>
#include <sys/types.h>

namespace bothy {

// Whether `fd` is something of the agent's or of this process, in any mount of a proc file system, that is not for everybody.  A process may read its
// own memory map, open files and the like whatever user it acts as (__ptrace_may_access), so the kernel does not refuse them to the user.
// Where it cannot be told, it is.
bool isAgentsOwn(int fd);

// Where a file is in its file system: `path` is that of the file in the machine, and `mountinfo` that of proc(5), in which `mount` is the
// file's.  None: that mount is not there, or has been moved.
kj::Maybe<kj::String> pathInFileSystem(kj::StringPtr mountinfo, uint64_t mount, kj::StringPtr path);

// Whether a proc file system has at `path`, which begins with a slash, what only the process with the number `pid` should read of itself.
bool isOfProcess(kj::StringPtr path, pid_t pid);

}  // namespace bothy
