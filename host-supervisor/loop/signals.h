#pragma once

#include <kj/async-unix.h>

namespace bothy {

// Makes SIGTERM, SIGINT and SIGCHLD events of the loop and ignores SIGPIPE.  Must be called before the
// first thread starts and before the event port is made.
void captureSignals();

// Resolves to the number of the first signal that asks this program to stop.
kj::Promise<int> onStopSignal(kj::UnixEventPort& port);

}  // namespace bothy
