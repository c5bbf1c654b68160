#pragma once

#include <kj/function.h>
#include <kj/timer.h>

#include "client/lane-source.h"

namespace bothy {

// Lanes to a workspace that was seen to run, and that may be going down all the same: bothyd does not know what its guest has
// begun.  Where it does not run when its first lane is asked for, it is started, once.  A first lane that the agent does not
// answer was none: nothing was done over it.  After one that it has taken, nothing is started any more.
class StartedLanes final: public LaneSource {
public:
  // `start` resolves when the workspace runs, and fails with what to tell the user.  What is borrowed outlives the lanes.
  StartedLanes(LaneSource& source, kj::Timer& timer, kj::StringPtr workspace,
               kj::Function<kj::Promise<void>()> start)
      : source(source), timer(timer), workspace(workspace), start(kj::mv(start)) {}

  kj::Promise<Opened> open() override;
  NoLane refused(rpc::Refusal why) override { return source.refused(why); }

private:
  LaneSource& source;
  kj::Timer& timer;
  const kj::StringPtr workspace;
  kj::Function<kj::Promise<void>()> start;
  // It lives through attempts, which are given up before a start is.
  kj::Maybe<kj::ForkedPromise<void>> starting;
  bool wasTaken = false;

  kj::Promise<kj::Maybe<NoLane>> untilStarted();
};

}  // namespace bothy
