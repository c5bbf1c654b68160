#pragma once

#include <kj/string.h>

namespace bothy {

// Who takes a wake lock speaks to a process of its own, which runs the agent's program again, as nobody: what a user passes over a socket (descriptors
// whose close takes long) is that process's affair.  main() begins with
//
//     if (isWakeService(argc, argv)) return wakeServiceMain();
constexpr kj::StringPtr WAKE_SERVICE = "--wake-service"_kj;
bool isWakeService(int argc, const char* const* argv);

// Serves the listening socket at descriptor 0, and writes a WakeSummary to descriptor 1 whenever it has changed.  Ends when it has had nothing to do for
// some seconds; with descriptor 1; and by SIGTERM.
int wakeServiceMain();

}  // namespace bothy
