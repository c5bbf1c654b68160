#pragma once

#include <kj/async.h>
#include <kj/function.h>

namespace bothy {

// Why what `attempt` promises failed, or `attempt` itself; nullptr: it succeeded.
kj::Promise<kj::Maybe<kj::Exception>> failureOf(kj::FunctionParam<kj::Promise<void>()> attempt);

}  // namespace bothy
