#pragma once

#include <kj/function.h>
#include <kj/timer.h>

#include "client/lane-source.h"

namespace bothy {

// The way to a workspace for work that outlives its lanes: a program, a terminal, a copy.
//
// Such work is begin(), then what it does over the lane it got, and run() each time that fails with DISCONNECTED.  A lost
// lane does not tell whether what was asked last has arrived: the work asks again, by a request id or by the position that
// the other side tells, so that asking twice does nothing twice.  A restart of bothyd costs no lane.
class Reconnection final {
public:
  // Why it was not waited any longer.
  enum class GaveUp {
    SUPERVISOR_AWAY,  // who gives lanes was there before, and did not come back
    NO_ANSWER,        // lanes broke, or nothing was answered
  };

  // Whoever waits for the work.
  class Listener {
  public:
    // Who gives lanes is not there from the beginning on: it is waited for so long.  Called once.
    virtual void onAway(kj::Duration patience) = 0;
    // A first lane is still not to be had, for a reason that passes; it is waited for so long in all.  Called once.
    virtual void onDelay(const kj::Exception& why, kj::Duration patience) = 0;
    // The machine stands still, or is paused; `why` is for people.  Called once for each begin() or run().
    virtual void onStall(kj::StringPtr why) = 0;
    // The first lane that was lost ended for this reason.  Called at most once for each begin() or run(), while it waits for another
    // lane or soon after.
    virtual void onLaneEnd(rpc::LaneEnd why) = 0;
    // What begin() or run() is to fail with.
    virtual kj::Exception describe(GaveUp why) = 0;
  };

  // `patience`: how long run() waits.  All that is borrowed outlives it.
  Reconnection(LaneSource& source, kj::Timer& timer, kj::Duration patience, Listener& listener)
      : source(source), timer(timer), patience(patience), listener(listener) {}
  KJ_DISALLOW_COPY_AND_MOVE(Reconnection);

  // Asks what the work needs first, over the lane given; returns when that was answered.  It is called before the agent has
  // taken the lane, so that its first question travels before that is known: one round trip.  What may last longer than
  // ATTEMPT_LIMIT it starts and leaves for afterwards.
  using Use = kj::Function<kj::Promise<void>(kj::Own<WorkspaceLane>)>;

  static constexpr auto ATTEMPT_LIMIT = 20 * kj::SECONDS;

  // For the first lane.  Connects, and calls `use`, again and again until `use` has returned, at most for
  // FIRST_PATIENCE; for a supervisor that was not there from the beginning AWAY_PATIENCE.
  kj::Promise<void> begin(Use use);
  // After the loss of `lost`, of which the caller keeps no reference: the same, for as long as `patience`.  Where `lost` has ended it is
  // asked why, beside the rest and for at most REASON_LIMIT.  Where lanes are lost again and again before they have stood for STANDING, it
  // begins with a pause that doubles each time, up to MOST_PAUSE: an agent could else have it ask for lanes without end.
  kj::Promise<void> run(kj::Own<WorkspaceLane> lost, Use use);

  // Both wait while there is no lane for a reason that passes, or `use` fails with DISCONNECTED or OVERLOADED; and, however long that
  // takes, while the machine stands still or is paused.  Every other failure of `use` they throw, and a NoLane::reason: of one that is final, or
  // of the last when their patience is at its end.

  static constexpr auto FIRST_PATIENCE = 60 * kj::SECONDS;
  static constexpr auto AWAY_PATIENCE = 15 * kj::SECONDS;
  // How long bothyd may take to say why a lane has ended: it knows it within a tenth of a second, if at all.
  static constexpr auto REASON_LIMIT = 2 * kj::SECONDS;
  static constexpr auto STANDING = 5 * kj::SECONDS;
  static constexpr auto MOST_PAUSE = 10 * kj::SECONDS;
  // Until a first lane counts as delayed.
  static constexpr auto UNNOTICED_DELAY = 2 * kj::SECONDS;

private:
  LaneSource& source;
  kj::Timer& timer;
  const kj::Duration patience;
  Listener& listener;
  kj::Promise<void> asking = kj::READY_NOW;  // why a lane has ended
  bool wasAsked = false;                     // since begin() or run()
  kj::Maybe<kj::TimePoint> lastUse;          // that was answered
  kj::uint shortUses = 0;                    // that were lost at once, one after the other

  struct Limits {
    kj::Duration away;  // who gives lanes
    kj::Duration unanswered;
  };
  kj::Promise<void> repeat(Use use, Limits limits, bool isFirst);
  kj::Promise<kj::Maybe<NoLane>> tryOnce(Use& use);
  kj::Promise<kj::Maybe<NoLane>> askOver(WorkspaceLane& lane, Use& use);
  void askWhyEnded(kj::Own<WorkspaceLane> lost);
  kj::Promise<void> tellWhyEnded(kj::Own<WorkspaceLane> lost);
  // Before another lane is asked for.
  kj::Duration pauseAfterLoss();
};

}  // namespace bothy
