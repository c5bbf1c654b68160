#pragma once

#include <kj/array.h>
#include <kj/string.h>

namespace bothy {

// A file worker is the agent's own program with the rights of one user.  The agent hands it lanes for files over descriptor 0
// (worker-socket.h), which it counts in descriptor 1, an eventfd; it serves them until the agent closes that, or a signal says that the machine ends.  main() begins with
//
//     if (isFileWorker(argc, argv)) return fileWorkerMain();
bool isFileWorker(int argc, const char* const* argv);

// What the agent starts it with.
kj::Array<kj::String> fileWorkerArguments();

int fileWorkerMain();

}  // namespace bothy
