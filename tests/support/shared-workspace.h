#pragma once

#include "support/test-workspace.h"

namespace bothy {

// A host with a running workspace for all scenarios of a program, since a boot takes longer than most of them.
struct SharedWorkspace {
  SupervisedHost host;
  TestWorkspace workspace{host};
};

// Boots it when it is first wanted.  It ends with the run; after a scenario that failed its logs are kept, and the next scenario
// gets another.  A scenario leaves the workspace running and nothing in it that others could take for theirs, and
// makes no SupervisedHost of its own: a thread has one event loop.
SharedWorkspace& sharedWorkspace();

}  // namespace bothy
