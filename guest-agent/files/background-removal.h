#pragma once

#include "files/workspace-root.h"
#include "process/programs.h"

namespace bothy {

// Removes what `name` in `parent` is with all below it, a little at a time: it is in no hurry and stands in nobody's way.  A process of its
// own does it, with the rights of this one and among the programs: the agent waits for no disk.  0, or errno of the first problem, with
// which it stops; ECANCELED where it was ended.  Dropping the promise ends it.
kj::Promise<int> removeInBackground(Programs& programs, kj::AutoCloseFd parent, kj::String name);

// That process is the agent's own program again.  main() begins with
//
//     if (isRemovalWorker(argc, argv)) return removalWorkerMain(argv);
bool isRemovalWorker(int argc, const char* const* argv);
int removalWorkerMain(const char* const* argv);

// Entries that are removed at a time, and the pause between.
constexpr uint REMOVED_AT_A_TIME = 32;
constexpr kj::Duration REMOVAL_PAUSE = 20 * kj::MILLISECONDS;

}  // namespace bothy
