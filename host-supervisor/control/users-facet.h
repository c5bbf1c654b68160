#pragma once

#include "schema/user.capnp.h"
#include "user/user-workspaces.h"

namespace bothy {

// Serves `Users` to operators.
class UsersFacet final: public rpc::Users::Server {
public:
  // Both outlive it.  `actor`: whose it is, as events have him.
  UsersFacet(UserWorkspaces& users, const HostAbilities& abilities, kj::String actor)
      : users(users), abilities(abilities), actor(kj::mv(actor)) {}

private:
  UserWorkspaces& users;
  const HostAbilities& abilities;
  const kj::String actor;

  kj::Promise<void> ensure(EnsureContext context) override;
  kj::Promise<void> list(ListContext context) override;
  kj::Promise<void> remove(RemoveContext context) override;

  void describe(rpc::WorkspaceInfo::Builder info, const WorkspaceView& workspace);
};

}  // namespace bothy
