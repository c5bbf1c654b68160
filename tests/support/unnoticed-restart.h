#pragma once

#include <kj/function.h>

#include <set>
#include <string>

#include "support/test-workspace.h"

namespace bothy {

// The guest's connections, when bothyd has both of its own beside `lanes` of clients (the test's is one): it does not dial then, so that
// its kill breaks no dial off, which may end the vsock device and every lane.
std::set<std::string> awaitConnections(TestWorkspace& workspace, size_t lanes);

// Ends bothyd by `signal` and starts it again, `whileAway` in between.  Fails the test unless the guest's connections are those of before
// but for bothyd's own.  The test, and who else is a client of bothyd's, have `lanes` to the workspace and ask for none meanwhile.
void restartUnnoticed(
    TestWorkspace& workspace, int signal, size_t lanes, kj::Function<void()> whileAway = []() {});

// Lanes that clients of `host` were given, by all its bothyds.
size_t lanesBegun(SupervisedHost& host);

}  // namespace bothy
