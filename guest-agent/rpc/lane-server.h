#pragma once

#include <capnp/capability.h>
#include <kj/function.h>
#include <kj/timer.h>

#include "rpc/credit-updates.h"
#include "rpc/welcome.h"
#include "schema/limits.capnp.h"
#include "wire/message-budget.h"
#include "wire/vsock-stream.h"

namespace bothy {

// A connection whose host has closed it, and to which something is still being written, is dropped after so long.
constexpr kj::Duration CLOSED_LINGER = 1 * kj::SECONDS;

// How one lane is served.
struct LaneService {
  uint16_t generation;   // that both sides speak
  kj::StringPtr holder;  // whose share of the memory it has; empty: nobody's.  See MessageGuard
  bool isBulk = false;   // it has the kernel's large buffer
};

// Serves lanes by the event loop of this process, from the Welcome on.
class LaneServer final {
public:
  // All of them outlive it.  `memory` is what the lanes may hold; `clock` tells how long clients' messages take, see MessageGuard.
  LaneServer(kj::Timer& timer, MessageBudget& memory,
             kj::Maybe<const kj::MonotonicClock&> clock = nullptr)
      : timer(timer), memory(memory), clock(clock), creditUpdates(timer) {}
  KJ_DISALLOW_COPY_AND_MOVE(LaneServer);

  // Resolves when the lane has ended and is closed, to what its client did that ended it, if so.  Dropping the promise closes it, which
  // `close` asks for where the host has closed the lane and what is written to it goes nowhere.  Fails where the Welcome does not leave
  // within WELCOME_LIMIT.
  kj::Promise<kj::Maybe<kj::String>> serve(kj::Own<VsockStream> stream,
                                           capnp::Capability::Client bootstrap, LaneService service,
                                           kj::Function<void()> close);
  // Says why a lane is not served, and closes it.
  kj::Promise<void> refuse(kj::Own<VsockStream> stream, rpc::Refusal why,
                           uint16_t oldest = rpc::OLDEST_GENERATION);

private:
  kj::Timer& timer;
  MessageBudget& memory;
  const kj::Maybe<const kj::MonotonicClock&> clock;
  CreditUpdates creditUpdates;
};

}  // namespace bothy
