#pragma once

#include "schema/session.capnp.h"
#include "session/session-registry.h"

namespace bothy {

// Serves `Sessions` to operators.
class SessionsFacet final: public rpc::Sessions::Server {
public:
  // Both outlive it.
  SessionsFacet(SessionRegistry& registry, WorkspaceManager& manager)
      : registry(registry), manager(manager) {}

private:
  SessionRegistry& registry;
  WorkspaceManager& manager;

  kj::Promise<void> create(CreateContext context) override;
  kj::Promise<void> list(ListContext context) override;
  kj::Promise<void> get(GetContext context) override;
  kj::Promise<void> revoke(RevokeContext context) override;

  kj::Maybe<kj::Own<Session>> find(rpc::SessionChoice::Reader which);
};

}  // namespace bothy
