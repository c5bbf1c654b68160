#pragma once

#include "store/records.h"
#include "tier/idle-policy.h"

namespace bothy {

// What is done to a workspace that nobody uses.  The numbers are those of IdleRule in activity.capnp; the names (IdleFigure) are on disk.
enum class IdleRule : uint8_t {
  PAUSE = 1,
  HIBERNATE = 2,
  EXPIRE = 3,
};

// One step on the way down.
struct IdleStep {
  IdleRule rule;
  // Where it begins, which figure says how long a workspace is there first (0: it is not done), where it is meanwhile, and where it ends.
  WorkspaceState from;
  IdleFigure after;
  WorkspaceState meanwhile, to;
  // How long before an event says so; nullptr: none does.
  uint32_t IdlePolicy::* warning;
  // What is told of it, for people: what has been so long, and what it does.
  kj::StringPtr since, what;

  // It is so by the rule, if that is under way or was the last to act.
  bool leadsTo(WorkspaceState state) const { return state == meanwhile || state == to; }
};

// At most one begins at each state.
constexpr IdleStep IDLE_STEPS[] = {
    {IdleRule::PAUSE, WorkspaceState::RUNNING, IdleFigure::PAUSE_AFTER, WorkspaceState::PAUSING,
     WorkspaceState::PAUSED, &IdlePolicy::warnBefore, "nothing has kept it awake"_kj,
     "pauses it"_kj},
    {IdleRule::HIBERNATE, WorkspaceState::PAUSED, IdleFigure::HIBERNATE_AFTER,
     WorkspaceState::HIBERNATING, WorkspaceState::HIBERNATED, nullptr, "it has been paused"_kj,
     "hibernates it"_kj},
    {IdleRule::EXPIRE, WorkspaceState::HIBERNATED, IdleFigure::EXPIRE_AFTER,
     WorkspaceState::EXPIRING, WorkspaceState::EXPIRED, &IdlePolicy::warnExpiry,
     "it has been hibernated"_kj, "destroys its disk"_kj},
};

// That of a workspace in this state.
kj::Maybe<const IdleStep&> stepFrom(WorkspaceState state);
const IdleStep& stepOf(IdleRule rule);
// What cannot be undone is not done without its warning, whatever clocks say.
constexpr bool isWarnedFirst(const IdleStep& step) {
  return step.rule == IdleRule::EXPIRE;
}
kj::StringPtr nameOf(IdleRule rule);
kj::Maybe<IdleRule> idleRule(kj::StringPtr name);

}  // namespace bothy
