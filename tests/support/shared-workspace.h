#pragma once

#include "support/test-workspace.h"

namespace bothy {

// A host with a running workspace for all scenarios of a program, since a boot takes longer than most of them.
struct SharedWorkspace {
  explicit SharedWorkspace(TestWorkspace::Options options) : workspace(host, options) {}

  SupervisedHost host;
  TestWorkspace workspace;
};

// Boots it when it is first wanted, with that one's options.  It ends with the run; after a scenario that failed its logs are kept, and
// the next scenario gets another.  It runs when this returns, and has no lanes of an earlier scenario's.  A scenario leaves
// nothing in it that others could take for theirs, and bothyd running; it makes no SupervisedHost of its own: a thread has one
// event loop.  More workspaces that it needs it makes there, and deletes them.
SharedWorkspace& sharedWorkspace(TestWorkspace::Options options = {});

}  // namespace bothy
