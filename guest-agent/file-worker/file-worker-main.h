#pragma once

#include <kj/array.h>
#include <kj/string.h>

namespace bothy {

// A file worker is the agent's own program with the rights of one user.  The agent hands it lanes for files over descriptor 0
// (worker-socket.h), which it counts in descriptor 1, an eventfd, and reports their ends over 2, a pipe; it serves them until the agent closes 0, or a
// signal says that the machine ends.  main() begins with
//
//     if (isFileWorker(argc, argv)) return fileWorkerMain();
bool isFileWorker(int argc, const char* const* argv);

// What the agent starts it with.
kj::Array<kj::String> fileWorkerArguments();

int fileWorkerMain();

}  // namespace bothy
