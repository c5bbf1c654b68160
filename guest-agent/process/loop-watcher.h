#pragma once

#include <kj/io.h>
#include <kj/string.h>
#include <kj/thread.h>
#include <kj/time.h>

#include <atomic>

#include "process/hold-breaker.h"
#include "process/loop-touches.h"

namespace bothy {

// Looks after the event loop from a thread of its own, and has HoldBreaker act where a touch lasts.  It sleeps as long as the loop touches
// nothing, takes no lock that the loop may have, and allocates nothing once it runs.
class LoopWatcher final {
public:
  // So often it looks while the loop touches things; a touch has lasted for as many ticks as it was seen after the first look.  By ticks and
  // not by a clock, because a machine may be paused.
  static constexpr kj::Duration TICK = 1 * kj::SECONDS;

  struct Options {
    kj::Duration tick = TICK;
    // "stat" of the loop's thread (proc(5)), of which only time counts in which it waits: it may be without a processor.  None: all time.
    kj::AutoCloseFd loopStatus;
    HoldBreaker::Options breaker;
  };
  // Of this machine, for the thread that calls it.  `groups`: the path of its control groups, if there are such.
  static Options optionsOfMachine(kj::Maybe<kj::StringPtr> groups);

  // `touches` outlives it.
  LoopWatcher(LoopTouches& touches, Options options);
  ~LoopWatcher() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(LoopWatcher);

  // Looks so far.
  uint64_t looks() const { return looked.load(); }

private:
  LoopTouches& touches;
  const kj::Duration tick;
  const kj::AutoCloseFd loopStatus;
  HoldBreaker breaker;
  std::atomic<uint64_t> looked = 0;
  kj::Own<kj::Thread> thread;

  void run();
  bool loopWaits() const;
};

}  // namespace bothy
