#pragma once

#include "store/records.h"
#include "tier/idle-policy.h"

namespace bothy {

// What is done to a workspace that nobody uses.  The numbers are those of IdleRule in activity.capnp; the names (IdleFigure) are on disk.
enum class IdleRule : uint8_t {
  PAUSE = 1,
};

// One step on the way down.
struct IdleStep {
  IdleRule rule;
  // Where it begins, which figure says how long a workspace is there first (0: it is not done), and where it ends.
  WorkspaceState from;
  IdleFigure after;
  WorkspaceState to;
};

// At most one begins at each state.  What comes later (to RAM on disk, to nothing but its configuration) is another line here.
constexpr IdleStep IDLE_STEPS[] = {
    {IdleRule::PAUSE, WorkspaceState::RUNNING, IdleFigure::PAUSE_AFTER, WorkspaceState::PAUSED},
};

// That of a workspace in this state.
kj::Maybe<const IdleStep&> stepFrom(WorkspaceState state);
const IdleStep& stepOf(IdleRule rule);
kj::StringPtr nameOf(IdleRule rule);
kj::Maybe<IdleRule> idleRule(kj::StringPtr name);

}  // namespace bothy
