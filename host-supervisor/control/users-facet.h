#pragma once

#include "control/workspace-teller.h"
#include "schema/user.capnp.h"
#include "user/user-workspaces.h"

namespace bothy {

// Serves `Users` to operators.
class UsersFacet final: public rpc::Users::Server {
public:
  // `users` outlives it.  `actor`: whose it is, as events have him.
  UsersFacet(UserWorkspaces& users, WorkspaceTeller teller, kj::String actor)
      : users(users), teller(teller), actor(kj::mv(actor)) {}

private:
  UserWorkspaces& users;
  const WorkspaceTeller teller;
  const kj::String actor;

  kj::Promise<void> ensure(EnsureContext context) override;
  kj::Promise<void> list(ListContext context) override;
  kj::Promise<void> remove(RemoveContext context) override;
};

}  // namespace bothy
