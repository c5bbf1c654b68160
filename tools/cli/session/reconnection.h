#pragma once

#include <kj/function.h>

#include "session/context.h"

namespace bothy {

// The way back to a workspace whose connection was lost.
class Reconnection final {
public:
  // `patience`: how long bothyd may be away.  `notice` tells the user, a line at a time.
  Reconnection(Context& context, kj::StringPtr workspace, kj::Duration patience,
               kj::Function<void(kj::StringPtr)> notice);
  KJ_DISALLOW_COPY_AND_MOVE(Reconnection);

  using Use = kj::Function<kj::Promise<void>(kj::Own<SupervisorLink>, rpc::Workspace::Client)>;

  // Connects, again and again, until `use` has returned.  What passes is waited for: a bothyd that is away, a
  // workspace that starts, and, however long that takes, one that stands still.  Fails with what does not pass, a
  // failure() of `use` among it.
  kj::Promise<void> run(Use use);

private:
  Context& context;
  const kj::StringPtr workspace;
  const kj::Duration patience;
  kj::Function<void(kj::StringPtr)> notice;
  // When the machine was last told to stand still.
  kj::Maybe<kj::TimePoint> lastStall;

  kj::Promise<bool> tryOnce(Use& use);
};

}  // namespace bothy
