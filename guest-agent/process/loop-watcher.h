#pragma once

#include <kj/io.h>
#include <kj/string.h>
#include <kj/thread.h>
#include <kj/time.h>

#include "process/loop-touches.h"

namespace bothy {

// Looks after the event loop from a thread of its own: where a touch lasts, it ends who holds the loop up, with what is least harmful and
// may help first (README.md, "What a user cannot hold up").  It sleeps as long as the loop touches nothing, takes no lock that the loop may
// have, and allocates nothing once it runs.
class LoopWatcher final {
public:
  // So often it looks while the loop touches things; a touch has lasted for as many ticks as it was seen after the first look.  By ticks and
  // not by a clock, because a machine may be paused.
  static constexpr kj::Duration TICK = 1 * kj::SECONDS;
  // After so many: the program is killed, and the FUSE connections of its user are aborted.  All of the user's are killed at once, if he did the
  // same less than REPEAT_LIMIT ago.
  static constexpr uint ENDS_PROGRAM = 2;
  // Those of all users are aborted: one may have numbers of users that are his own (subuid(5)).
  static constexpr uint ABORTS_ALL = 4;
  // All programs of the user are killed.
  static constexpr uint ENDS_USER = 10;
  // All programs are killed, and all connections are aborted, also root's: the disk itself may stand still for so long, and that ends nobody's.
  static constexpr uint ENDS_ALL = 30;
  static constexpr kj::Duration REPEAT_LIMIT = 1 * kj::MINUTES;
  // Of what everybody may hold up, the connections of users are aborted after ENDS_PROGRAM, one by one: whose end lets the loop go on within
  // this time has held it up, and all his programs are killed.
  static constexpr kj::Duration RELEASE_LIMIT = 200 * kj::MILLISECONDS;

  struct Options {
    kj::Duration tick = TICK;
    // "stat" of the loop's thread (proc(5)), of which only time counts in which it waits: it may be without a processor.  None: all time.
    kj::AutoCloseFd loopStatus;
    kj::AutoCloseFd fuseConnections;  // fusectl's directory; none: there is none
    kj::AutoCloseFd allPrograms;      // cgroup.kill of them, for writing; none: there is none
    kj::AutoCloseFd reserve;          // the same of those in the reserve
    kj::AutoCloseFd log;              // a write is a line
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
  const Options options;
  std::atomic<uint64_t> looked = 0;
  uid_t lastUser = 0;      // of a program that was ended
  uint64_t lastNanos = 0;  // when; 0: none was
  kj::Own<kj::Thread> thread;

  void run();
  bool loopWaits() const;
  void act(const LoopTouches::State& touch, uint held);
  void endProgram(const LoopTouches::State& touch);
  void endUnknown(const LoopTouches::State& touch);
  bool endsSoon(const LoopTouches::State& touch) const;
  void endEverything();
  void say(const char* what, uid_t user, uint groups, uint connections) const;
  void sayOfUnknown(const char* what, uint connections) const;
};

}  // namespace bothy
