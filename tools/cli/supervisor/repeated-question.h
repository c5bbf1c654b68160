#pragma once

#include <kj/function.h>
#include <kj/timer.h>

namespace bothy {

// Asks bothyd what changes nothing, and again where the connection to it is lost before it has answered.  Each `ask` connects anew.
// Fails as `ask` does: at once where bothyd was not running at first, else after REPEATED_FOR.
kj::Promise<void> askUntilAnswered(kj::Timer& timer, kj::Function<kj::Promise<void>()> ask);

constexpr auto REPEATED_FOR = 15 * kj::SECONDS;

}  // namespace bothy
