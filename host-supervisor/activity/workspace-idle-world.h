#pragma once

#include "activity/idle-world.h"
#include "workspace/workspace-manager.h"

namespace bothy {

// How long an agent has to say which lanes it serves.
constexpr kj::Duration GUEST_ANSWER_LIMIT = 5 * kj::SECONDS;

// The workspaces of a manager.
class WorkspaceIdleWorld final: public IdleWorld {
public:
  // Both outlive it.  `defaultPolicy`: of workspaces without a tier.
  WorkspaceIdleWorld(kj::Timer& timer, WorkspaceManager& manager, IdlePolicy defaultPolicy)
      : timer(timer), manager(manager), defaultPolicy(defaultPolicy), begin(timer.now()) {}
  KJ_DISALLOW_COPY_AND_MOVE(WorkspaceIdleWorld);

  kj::Maybe<Seen> see(kj::StringPtr id) override;
  void forEachIn(WorkspaceState state, kj::FunctionParam<void(kj::StringPtr id)> act) override;
  kj::Promise<GuestUse> askGuest(kj::StringPtr id) override;
  void tell(kj::StringPtr id, Cause cause, kj::StringPtr detail, kj::StringPtr actor) override;
  kj::Promise<Done> carryOut(IdleRule rule, kj::StringPtr id, kj::String detail,
                             kj::Function<bool()> isStillDue) override;

private:
  kj::Timer& timer;
  WorkspaceManager& manager;
  const IdlePolicy defaultPolicy;
  const kj::TimePoint begin;

  // That are older than this bothyd.
  kj::Promise<uint32_t> earlierLanes(Machine& machine);
};

}  // namespace bothy
