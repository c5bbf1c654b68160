#pragma once

#include <kj/string.h>
#include <kj/time.h>

namespace bothy {

// Runs a program of another root directory to its end, before there is an event loop, and returns its
// exit code.  Its output goes to the console, and it sees /dev and /proc.  Throws if it cannot be started,
// if a signal ends it, and if it takes longer than `limit`: then it was asked to end, and killed.
//
// Changes this process's root for the time of the start, so nothing else may run in the process: for
// PID 1 during boot only, after Reaper::captureChildExit().
int runTool(kj::StringPtr root, kj::ArrayPtr<const kj::StringPtr> argv, kj::Duration limit);

inline int runTool(kj::StringPtr root, std::initializer_list<kj::StringPtr> argv,
                   kj::Duration limit) {
  return runTool(root, kj::arrayPtr(argv.begin(), argv.size()), limit);
}

}  // namespace bothy
