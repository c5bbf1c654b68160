#pragma once

#include <kj/async.h>
#include <kj/map.h>
#include <kj/timer.h>
#include <sys/types.h>

#include "loop/worker-thread.h"

namespace bothy {

// Whom a user id stands for where users are counted.
class UidOwners {
public:
  // Never fails.
  virtual kj::Promise<uid_t> ownerOf(uid_t uid) = 0;
};

// All that are subordinate to root, of containers say, count as one user who is not root.  No user has this id.
constexpr uid_t UIDS_OF_ROOT = static_cast<uid_t>(-1);

// How long one look-up may take.  What libsubid and the user database ask (nsswitch.conf) may be on the network.
constexpr kj::Duration OWNER_LIMIT = 1 * kj::SECONDS;
// So long an answer is used again.
constexpr kj::Duration OWNER_MEMORY = 60 * kj::SECONDS;
// Answers that are kept.
constexpr size_t MAX_KNOWN_OWNERS = 1024;

// Of a subordinate user id (subuid(5)) the user to whom the host has given it, for he takes as many as he likes of them by a user
// namespace.  Of others, and where that cannot be learned in time, the user himself.
class SubordinateUids final: public UidOwners {
public:
  // `timer` outlives it.
  explicit SubordinateUids(kj::Timer& timer) : SubordinateUids(timer, askHost) {}
  // `find` is called on another thread.
  SubordinateUids(kj::Timer& timer, uid_t (*find)(uid_t uid))
      : timer(timer), find(find), worker(timer, "subordinate user ids") {}

  kj::Promise<uid_t> ownerOf(uid_t uid) override;

  static uid_t askHost(uid_t uid);

private:
  struct Known {
    uid_t owner;
    kj::TimePoint since;
  };

  kj::Timer& timer;
  uid_t (*const find)(uid_t uid);
  kj::HashMap<uid_t, Known> known;
  WorkerThread worker;
};

}  // namespace bothy
