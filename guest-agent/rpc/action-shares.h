#pragma once

#include <kj/async.h>
#include <kj/map.h>
#include <kj/string.h>
#include <kj/timer.h>

#include "actions/action-log.h"

namespace bothy {

// What a client may do as often as it likes, such as to open lanes for files, is noted so many times a minute on behalf of each actor, and so
// many in all: nobody drives out of the log what others did.  What is left out is counted, and told with the end of the minute.
class ActionShares final {
public:
  static constexpr kj::Duration PERIOD = 1 * kj::MINUTES;
  // Of the log's 8 MiB a minute of one actor takes a 300th at most, and one of all a 75th.
  static constexpr uint32_t MAX_OF_ACTOR = 60;
  static constexpr uint32_t MAX_IN_ALL = 240;
  // Of others nothing is noted, and what is left out is told of all of them together.
  static constexpr size_t MAX_ACTORS = 64;

  // All outlive it.
  ActionShares(ActionLog& log, kj::Timer& timer, const kj::Clock& clock);
  ~ActionShares() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(ActionShares);

  // Whether what is done now on behalf of `actor` is to be noted.
  bool admits(kj::StringPtr actor);

private:
  struct Actor {
    uint32_t noted = 0;
    uint64_t leftOut = 0;
  };

  ActionLog& log;
  kj::Timer& timer;
  const kj::Clock& clock;
  kj::TimePoint began;
  kj::HashMap<kj::String, Actor> actors;
  uint32_t noted = 0;
  uint64_t othersLeftOut = 0;
  bool isAnyLeftOut = false;
  kj::Promise<void> end = nullptr;  // of the minute, while something is left out

  void leaveOut(uint64_t& count);
  void endPeriod();
};

}  // namespace bothy
