#pragma once

#include "schema/workspace.capnp.h"
#include "transfer/transfer.h"

namespace bothy {

// A copy and the connections that it goes over: one after the other, where bothyd is restarted.
class CopySession final {
public:
  // `path` is the one in the workspace, as it was typed.  All of them outlive it.
  CopySession(Context& context, kj::StringPtr workspace, kj::StringPtr user, kj::StringPtr path)
      : context(context), workspace(workspace), user(user), given(path) {}
  KJ_DISALLOW_COPY_AND_MOVE(CopySession);

  // Connects and copies, until all is copied.  To be called once.
  kj::Promise<TransferResult> run(Copy& copy);

private:
  Context& context;
  const kj::StringPtr workspace;
  const kj::StringPtr user;
  const kj::StringPtr given;   // the path in the workspace
  kj::Maybe<kj::String> path;  // from the root; once it is known
  kj::Own<SupervisorLink> link;
  kj::Maybe<rpc::Files::Client> files;

  kj::Promise<void> open(kj::Own<SupervisorLink> newLink, rpc::Workspace::Client client);
};

}  // namespace bothy
