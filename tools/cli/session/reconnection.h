#pragma once

#include <kj/function.h>

#include "session/context.h"
#include "supervisor/workspace-lane.h"

namespace bothy {

// The way to a workspace for work that outlives its connections: a command, a terminal, a copy.
//
// Such work is begin(), then what it does over the lane it got, and run() each time that fails with DISCONNECTED.  A lost
// lane does not tell whether what was asked last has arrived: the work asks again, by a request id or by the position that
// the other side tells, so that asking twice does nothing twice.  A restart of bothyd costs no lane.
class Reconnection final {
public:
  // `patience`: how long bothyd or the workspace may be away.  `notice` tells the user, a line at a time.
  Reconnection(Context& context, kj::StringPtr workspace, WantedLane wanted, kj::Duration patience,
               kj::Function<void(kj::StringPtr)> notice);
  KJ_DISALLOW_COPY_AND_MOVE(Reconnection);

  // Asks what the work needs first, over the lane given; returns when that was answered.  It is called before the agent has
  // taken the lane, so that its first question travels before that is known: one round trip.  What may last longer than
  // ATTEMPT_LIMIT it starts and leaves for afterwards.
  using Use = kj::Function<kj::Promise<void>(kj::Own<WorkspaceLane>)>;

  static constexpr auto ATTEMPT_LIMIT = 20 * kj::SECONDS;

  // For the first lane.  Connects, and calls `use`, again and again until `use` has returned, at most for
  // FIRST_PATIENCE; for a bothyd that was not there from the beginning AWAY_PATIENCE.
  kj::Promise<void> begin(Use use);
  // After a loss: the same, for as long as `patience`.
  kj::Promise<void> run(Use use);

  // Both wait while bothyd is away, the workspace starts, does not answer or has too many lanes, and, however long that
  // takes, while its machine stands still.  Every other failure they throw, a failure() of `use` among them; and, when their patience is at
  // its end, one that says so.

  static constexpr auto FIRST_PATIENCE = 60 * kj::SECONDS;
  static constexpr auto AWAY_PATIENCE = 15 * kj::SECONDS;

private:
  Context& context;
  const kj::StringPtr workspace;
  const WantedLane wanted;
  const kj::Duration patience;
  kj::Function<void(kj::StringPtr)> notice;
  // When the machine was last told to stand still.
  kj::Maybe<kj::TimePoint> lastStall;

  struct Limits {
    kj::Duration away;  // bothyd itself
    kj::Duration unanswered;
  };
  kj::Promise<void> repeat(Use use, Limits limits, bool isFirst);
  kj::Promise<kj::Maybe<kj::Exception>> tryOnce(Use& use);
  kj::Exception passing(NoLane none);
};

}  // namespace bothy
