#pragma once

#include <kj/string.h>

namespace bothy {

// Runs a program of another root directory to its end, before there is an event loop.  Its output goes to
// the console.  Throws if it cannot be started or does not exit with 0.
//
// Changes this process's root for the time of the start, so nothing else may run in the process: for
// PID 1 during boot only.
void runTool(kj::StringPtr root, kj::ArrayPtr<const kj::StringPtr> argv);

inline void runTool(kj::StringPtr root, std::initializer_list<kj::StringPtr> argv) {
  runTool(root, kj::arrayPtr(argv.begin(), argv.size()));
}

}  // namespace bothy
