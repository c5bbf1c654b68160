#pragma once

#include <kj/async.h>
#include <kj/timer.h>
#include <sys/types.h>

#include <map>
#include <vector>

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
// So do all of whom it cannot be learned in time, and of whom nothing is known: a user who takes many subordinate ids would have a share
// for each.  Whoever has this id, the highest, is one of them.
constexpr uid_t UIDS_UNKNOWN = static_cast<uid_t>(-2);

// How long one look-up may take.  What libsubid and the user database ask (nsswitch.conf) may be on the network.
constexpr kj::Duration OWNER_LIMIT = 1 * kj::SECONDS;
// So long an answer is used again.
constexpr kj::Duration OWNER_MEMORY = 60 * kj::SECONDS;
// And so long what counts in place of one that did not come in time.
constexpr kj::Duration OWNER_FAULT_MEMORY = 10 * kj::SECONDS;
// Between two lines of the log about those.
constexpr kj::Duration OWNER_LOG_PAUSE = 1 * kj::SECONDS;
// Of those who may wait for the host, who are known to be of one user: a part of them.
constexpr size_t OWNER_WAITING_SHARE = 8;
// Answers that are kept.
constexpr size_t MAX_KNOWN_OWNERS = 1024;

// User ids from `first` to `last` that are all one user's.
struct OwnedUids {
  uid_t owner;
  uid_t first;
  uid_t last;

  bool has(uid_t uid) const { return first <= uid && uid <= last; }
};

// Of a subordinate user id (subuid(5)) the user to whom the host has given it, for he takes as many as he likes of them by a user
// namespace.  Of others the user himself.  Where that cannot be learned in time, or too many wait for it, who it was last; else
// UIDS_UNKNOWN.
//
// What is learned of one id holds for the range of them that he was given, or he would have the host asked for each anew, and fill the
// places of those who wait and what is known of others.
class SubordinateUids final: public UidOwners, private kj::TaskSet::ErrorHandler {
public:
  // `timer` outlives it.  At most `mostWaiting` wait for the host at a time.
  SubordinateUids(kj::Timer& timer, size_t mostWaiting)
      : SubordinateUids(timer, mostWaiting, askHost) {}
  // `find` is called on another thread.
  SubordinateUids(kj::Timer& timer, size_t mostWaiting, OwnedUids (*find)(uid_t uid))
      : timer(timer),
        mostWaiting(mostWaiting),
        find(find),
        worker(timer, "subordinate user ids"),
        questions(*this) {}

  kj::Promise<uid_t> ownerOf(uid_t uid) override;

  // With all that it was given to its owner with.
  static OwnedUids askHost(uid_t uid);

private:
  struct Known: public OwnedUids {
    kj::TimePoint until;
  };
  struct Waiter {
    uid_t uid;
    kj::Own<kj::PromiseFulfiller<uid_t>> fulfiller;
  };
  // Those for whom one question is asked.
  struct Waiters {
    std::vector<Waiter> all;
    // The answer to another question was theirs too.
    kj::Own<kj::PromiseFulfiller<void>> answered;
  };

  kj::Timer& timer;
  const size_t mostWaiting;
  OwnedUids (*const find)(uid_t uid);
  std::map<uid_t, Known> known;      // by the first
  std::map<uid_t, Waiters> waiting;  // by the first that was known with theirs, or theirs
  size_t waitingInAll = 0;
  kj::Maybe<kj::TimePoint> told;  // that one counts as far as is known
  WorkerThread worker;
  kj::TaskSet questions;

  kj::Promise<void> ask(uid_t key, uid_t uid, kj::Promise<void> answered);
  kj::Maybe<Known&> lastKnown(uid_t uid);
  void learn(OwnedUids answer, kj::Duration memory);
  // Tells those of `key`, and all others of whom it says something.
  void spread(uid_t key, OwnedUids answer);
  Waiters take(uid_t key);
  void tell(uid_t uid, uid_t owner, kj::StringPtr why);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
