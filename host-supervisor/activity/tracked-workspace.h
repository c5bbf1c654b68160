#pragma once

#include "activity/activity-keeper.h"

namespace bothy {

// One workspace of which an ActivityKeeper knows something.
struct ActivityKeeper::Tracked final: public kj::Refcounted {
  Tracked(kj::StringPtr id, const IdleWorld::Seen& seen, kj::TimePoint now)
      : id(kj::str(id)), use(seen.state, seen.policy, now) {
    stored.workspaceId = kj::str(id);
  }

  const kj::String id;
  WorkspaceUse use;
  // As the store has it, or will.
  ActivityRow stored;
  // The rule by which it is as it is, and when.
  kj::Maybe<IdleRule> rule;
  int64_t ruleNanos = 0;
  RetryPauses::Limits nextTry = RULE_PAUSES;
  kj::Maybe<kj::TimePoint> scheduled;
  bool isLookedAt = false;
  bool isGone = false;
  // None: the keeper has ended.
  kj::Maybe<ActivityKeeper&> keeper;
};

}  // namespace bothy
