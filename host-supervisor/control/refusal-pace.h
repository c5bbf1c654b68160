#pragma once

#include <kj/map.h>
#include <kj/timer.h>

#include "control/client-identity.h"
#include "loop/log-pace.h"
#include "schema/session-gate.capnp.h"

namespace bothy {

// When each is told that its token is none: not at once, whatever is wrong with it, and so many of one user in a second.
class RefusalPace final {
public:
  // `timer` outlives it.
  explicit RefusalPace(kj::Timer& timer) : timer(timer), told(timer, 1 * kj::SECONDS) {}
  KJ_DISALLOW_COPY_AND_MOVE(RefusalPace);

  // Resolves when this client may be told.  Fails with OVERLOADED where too many of its user's wait.  Logs it, without what was shown.
  kj::Promise<void> next(ClientIdentity client);

  static constexpr kj::Duration LEAST = int64_t{rpc::REDEEM_REFUSAL_MILLIS} * kj::MILLISECONDS;
  static constexpr kj::Duration BETWEEN = 1 * kj::SECONDS / int64_t{rpc::MAX_REFUSALS_PER_SECOND};

private:
  struct User {
    uint32_t waiting = 0;
    kj::TimePoint next = kj::origin<kj::TimePoint>();
  };

  kj::Timer& timer;
  LogPace told;
  kj::HashMap<uid_t, User> users;  // who wait, by owner
};

}  // namespace bothy
