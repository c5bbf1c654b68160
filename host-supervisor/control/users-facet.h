#pragma once

#include "schema/user.capnp.h"
#include "user/user-workspaces.h"

namespace bothy {

// Serves `Users` to operators.
class UsersFacet final: public rpc::Users::Server {
public:
  // Both outlive it.
  UsersFacet(UserWorkspaces& users, const HostAbilities& abilities)
      : users(users), abilities(abilities) {}

private:
  UserWorkspaces& users;
  const HostAbilities& abilities;

  kj::Promise<void> ensure(EnsureContext context) override;
  kj::Promise<void> list(ListContext context) override;
  kj::Promise<void> remove(RemoveContext context) override;

  void describe(rpc::WorkspaceInfo::Builder info, const WorkspaceView& workspace);
};

}  // namespace bothy
