#pragma once

#include "supervisor/supervisor-lanes.h"
#include "transfer/transfer.h"

namespace bothy {

// A copy and the lanes that it goes over: one after the other, where one is lost.
class CopySession final {
public:
  // `access` is what the copy needs to the user's files.  `path` is the one in the workspace, as it was typed.  All of them
  // outlive it.
  CopySession(Context& context, kj::StringPtr workspace, kj::StringPtr user, rpc::FileAccess access,
              kj::StringPtr path)
      : context(context),
        workspace(workspace),
        wanted(WantedLane::files(user, access)),
        given(path) {}
  KJ_DISALLOW_COPY_AND_MOVE(CopySession);

  // Connects and copies, until all is copied.  To be called once.
  kj::Promise<TransferResult> run(Copy& copy);

private:
  Context& context;
  const kj::StringPtr workspace;
  const WantedLane wanted;
  const kj::StringPtr given;   // the path in the workspace
  kj::Maybe<kj::String> path;  // from the root; once it is known
  kj::Own<WorkspaceLane> lane;

  kj::Promise<void> open(kj::Own<WorkspaceLane> newLane);
};

}  // namespace bothy
