#pragma once

#include <kj/async.h>
#include <kj/function.h>
#include <kj/string.h>
#include <kj/timer.h>

namespace bothy {

constexpr kj::Duration VSOCK_RETRY_PAUSE = 1 * kj::SECONDS;
// After so many tries that failed, the pause is longer.
constexpr kj::uint VSOCK_QUICK_TRIES = 10;
constexpr kj::Duration VSOCK_LONG_RETRY_PAUSE = 1 * kj::MINUTES;

// Calls `replace`, which gives the machine `name` another vsock device, until it succeeds.  The log has each of the first
// VSOCK_QUICK_TRIES failures, and then once what a person can do; `notReplaced` is called with that.  A try that fails with OVERLOADED does not count and is repeated after
// VSOCK_RETRY_PAUSE: a QEMU that stands still may go on at any time, and to ask costs nothing meanwhile.
kj::Promise<void> replaceVsock(kj::Timer& timer, kj::StringPtr name,
                               kj::Function<kj::Promise<void>()> replace,
                               kj::Function<void()> notReplaced);

}  // namespace bothy
