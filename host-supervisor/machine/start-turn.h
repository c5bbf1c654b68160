#pragma once

#include <kj/function.h>
#include <kj/timer.h>

#include "machine/machine-world.h"

namespace bothy {

// The time that the start of a machine may take: one limit while others start first, another from its own beginning.
class StartTurn final: public TurnListener {
public:
  // `listener` is told how many others start first, when that becomes known and at most each second after it; and nullptr
  // when its turn has come.
  StartTurn(kj::Timer& timer, const MachineDeadlines& deadlines,
            kj::Function<void(kj::Maybe<size_t> before)> listener)
      : timer(timer), deadlines(deadlines), listener(kj::mv(listener)) {}
  KJ_DISALLOW_COPY_AND_MOVE(StartTurn);

  // What `start`, which has this as its listener, comes to; OVERLOADED when it takes too long.  Once.
  kj::Promise<kj::Own<RunningVm>> limit(kj::Promise<kj::Own<RunningVm>> start);

  void waits(size_t before) override;
  void begins() override;

private:
  kj::Timer& timer;
  const MachineDeadlines& deadlines;
  kj::Function<void(kj::Maybe<size_t>)> listener;
  bool isWaiting = false;
  kj::TimePoint lastNotice = kj::origin<kj::TimePoint>();
  // While the limit of the present phase runs.
  kj::Own<kj::PromiseFulfiller<void>> phaseEnd;

  void changeTo(bool waiting);
  kj::Promise<void> expire();
};

}  // namespace bothy
