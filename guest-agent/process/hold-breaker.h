#pragma once

#include <kj/io.h>
#include <kj/string.h>
#include <kj/time.h>

#include "process/loop-touches.h"

namespace bothy {

// Ends what holds the event loop up, with what is least harmful and may help first (README.md, "What a user cannot hold up").  It takes no
// lock that the loop may have, and allocates nothing once it is made.
class HoldBreaker final {
public:
  // Of a touch that has lasted for so many looks of LoopWatcher after the first: the program is killed, and the FUSE connections of its user are
  // aborted.  All of the user's programs are killed at once, if he did the same less than REPEAT_LIMIT ago.
  static constexpr uint ENDS_PROGRAM_TICKS = 2;
  // From here on those of other users are aborted, one user's after the other's until the loop goes on: one may have numbers of users that are
  // his own (subuid(5)).  Of what everybody may hold up this is done from ENDS_PROGRAM_TICKS on, and nobody is killed for it: that the loop
  // goes on when somebody's connections are gone does not prove that they held it up.
  static constexpr uint ABORTS_ALL_TICKS = 4;
  // All programs of the user are killed.
  static constexpr uint ENDS_USER_TICKS = 10;
  // All programs are killed, and all connections are aborted, also root's: the disk itself may stand still for so long, and that ends nobody's.
  static constexpr uint ENDS_ALL_TICKS = 30;
  // Also so long a user can start nothing after all his programs were killed.
  static constexpr kj::Duration REPEAT_LIMIT = LoopTouches::REFUSAL;
  // Until then the loop is waited for, after the connections of one user, and of all of them, were aborted: the rest follows without a wait.
  static constexpr kj::Duration RELEASE_LIMIT = 200 * kj::MILLISECONDS;
  static constexpr kj::Duration PASS_LIMIT = 2 * kj::SECONDS;

  struct Options {
    kj::AutoCloseFd fuseConnections;  // fusectl's directory; none: there is none
    kj::AutoCloseFd allPrograms;      // cgroup.kill of them, for writing; none: there is none
    kj::AutoCloseFd reserve;          // the same of those in the reserve
    kj::AutoCloseFd log;              // a write is a line
    kj::Duration releaseLimit = RELEASE_LIMIT;
  };

  // `touches` outlives it.
  HoldBreaker(LoopTouches& touches, Options options);
  KJ_DISALLOW_COPY_AND_MOVE(HoldBreaker);

  // `touch` was seen `ticks` times after the first.  To be called for each number, beginning with 1: what connects to a FUSE only when another was
  // aborted is found by the next.
  void act(const LoopTouches::State& touch, uint ticks);

private:
  // Who has held the loop up last; more than these who do so in turn are each taken for new.
  static constexpr size_t MAX_HOLDERS = 64;
  struct Holder {
    uid_t user = 0;
    uint64_t nanos = 0;  // when; 0: never
  };
  // Users whose connections are aborted in one pass; the others' follow in the next.
  static constexpr size_t MAX_OWNERS = 64;

  LoopTouches& touches;
  const Options options;
  Holder holders[MAX_HOLDERS];

  bool isRepeated(uid_t user);
  uint endAllOf(uid_t user);
  void endProgram(const LoopTouches::State& touch);
  void endEverything(bool isFirst);
  uint abortOf(uid_t user);
  uint abortOneByOne(const LoopTouches::State& touch);
  bool endsSoon(const LoopTouches::State& touch) const;
  void say(const char* what, uid_t user, uint groups, uint connections) const;
  void sayOfUnknown(const char* what, uint connections) const;
};

}  // namespace bothy
