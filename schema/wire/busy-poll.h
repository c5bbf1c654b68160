#pragma once

#include <kj/common.h>

namespace bothy {

// Events that each of our programs handles before its loop looks what else has come, though there are more (setBusyPollInterval()): who
// floods one connection keeps no other waiting.
constexpr kj::uint BUSY_POLL_INTERVAL = 64;

}  // namespace bothy
