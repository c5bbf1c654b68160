#pragma once

#include <kj/async.h>
#include <kj/function.h>
#include <kj/timer.h>

namespace bothy {

// How long a lane may be silent that owes something, before the agent is asked for a sign of life.
constexpr kj::Duration LANE_SILENCE = 20 * kj::SECONDS;
// How long the agent may take to answer that: so many looks, so long after each other.  A client that was stopped (SIGSTOP) finds one
// look due when it goes on, not all of them.
constexpr kj::uint ANSWER_LOOKS = 4;
constexpr kj::Duration ANSWER_LOOK_PAUSE = 10 * kj::SECONDS;

// A lane as untilSilent() sees it.
class ListenedLane {
public:
  // Messages that have come.
  virtual uint64_t received() = 0;
  // Whether the agent owes an answer, and this end reads.
  virtual bool isWaiting() = 0;
  // Asks the agent for anything that it answers at once.
  virtual kj::Promise<void> ask() = 0;
};

// Resolves when `lane` has been silent for too long.  A vsock device can lose what wakes one of its ends, and the lane then stands still
// until something else is sent: the question alone gets it going again.
//
// `timer` and `lane` outlive the promise.
kj::Promise<void> untilSilent(kj::Timer& timer, ListenedLane& lane);

}  // namespace bothy
