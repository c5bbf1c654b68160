#pragma once

#include "activity/activity-keeper.h"
#include "control/client-identity.h"
#include "schema/activity.capnp.h"
#include "workspace/workspace-manager.h"

namespace bothy {

// Serves `WorkspaceActivity` to operators.
class ActivityFacet final: public rpc::WorkspaceActivity::Server {
public:
  // Both outlive it.
  ActivityFacet(ActivityKeeper& keeper, WorkspaceManager& manager, ClientIdentity client)
      : keeper(keeper), manager(manager), client(client) {}

private:
  ActivityKeeper& keeper;
  WorkspaceManager& manager;
  const ClientIdentity client;

  kj::Promise<void> why(WhyContext context) override;
  kj::Promise<void> keepAwake(KeepAwakeContext context) override;
  kj::Promise<void> release(ReleaseContext context) override;
  kj::Promise<void> changePolicy(ChangePolicyContext context) override;

  // The id of a workspace.
  kj::Maybe<kj::String> idOf(kj::StringPtr name);
};

void fill(rpc::IdlePolicy::Builder told, const IdlePolicy& policy);
void fill(rpc::Wakefulness::Builder told, const Wakefulness& from);

}  // namespace bothy
