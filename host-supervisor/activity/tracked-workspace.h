#pragma once

#include "activity/activity-keeper.h"

namespace bothy {

// One workspace of which an ActivityKeeper knows something.
struct ActivityKeeper::Tracked final: public kj::Refcounted {
  Tracked(kj::StringPtr id, const IdleWorld::Seen& seen, kj::TimePoint now)
      : id(kj::str(id)), use(seen.state, seen.policy, now) {
    stored.workspaceId = kj::str(id);
  }
  // What a rule is remembered by.
  struct Act {
    IdleRule rule;
    int64_t nanos;
  };

  const kj::String id;
  WorkspaceUse use;
  // As the store has it, or will.
  ActivityRow stored;
  // By which it is as it is, or about to be.
  kj::Maybe<Act> act;
  // Why the rule that is due came to nothing; empty: it did not.
  kj::String whyNot;
  RetryPauses::Limits nextTry = RULE_PAUSES;
  kj::Maybe<kj::TimePoint> scheduled;
  bool isLookedAt = false;
  bool isGone = false;
  // None: the keeper has ended.
  kj::Maybe<ActivityKeeper&> keeper;
};

}  // namespace bothy
