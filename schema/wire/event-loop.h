#pragma once

#include <kj/async-io.h>

namespace bothy {

// Events that the loop of each of our programs handles before it looks what else has come, though there are more: who floods one
// connection keeps no other waiting.
constexpr kj::uint BUSY_POLL_INTERVAL = 64;

// What kj::setupAsyncIo() makes, for programs that have peers: its loop looks for I/O and timers after BUSY_POLL_INTERVAL events at
// the latest, and not only when it has nothing else to do.  tools/check-layering sees that no program makes another.
kj::AsyncIoContext setupEventLoop();

}  // namespace bothy
