#pragma once

#include <kj/refcount.h>

#include "process/command.h"

namespace bothy {

// After SIGKILL a process can linger only in the kernel, waiting for a device.
constexpr kj::Duration END_LIMIT = 5 * kj::SECONDS;

// A home that could not be entered.
struct MissingHome {
  kj::String path;
  int errorNumber;
};

// A program that runs, or has ended, with the tree of what it has started.  Terminals and executions
// each own one.
//
// Dropping the last reference kills nobody and waits for nobody: whoever drops a running one calls
// end() in the background before.
class ChildProcess final: public kj::Refcounted {
public:
  // Starts what `request` says, in a tree of its own; its time limit ends it.  Dropping the promise kills what may have
  // begun.  On a terminal it starts in the reserve where there is no room for it elsewhere.
  static kj::Promise<kj::OneOf<kj::Own<ChildProcess>, StartFailure>> start(Programs& programs,
                                                                           SpawnRequest request);

  enum class Place { AMONG_PROGRAMS, RESERVE };

  // What the listener of `programs` is told of it.
  struct Label {
    ProgramKind kind;
    kj::String name;
  };
  ChildProcess(Programs& programs, SpawnedProcess process, kj::Own<ProcessTree> tree,
               ProgramMark mark, Place place, Label label, kj::Maybe<kj::Duration> timeLimit,
               kj::Maybe<MissingHome> missingHome);
  ~ChildProcess() noexcept(false);

  pid_t pid() const { return leader; }
  // Of what the event loop shares with it.
  ProgramMark mark() const { return programMark; }
  bool isRunning() const { return programs.reaper.isAlive(leader); }

  // Resolves when the program itself has ended; with TIMED_OUT once no member of its tree is left, or END_LIMIT is over.
  kj::Promise<ExitStatus> onExit() { return exit.addBranch(); }

  // It has its part of the reserve, because programs have used up the rest: see README.md.
  bool isInReserve() const { return place == Place::RESERVE; }

  // Of the user, where it could not be entered and the program runs in "/" therefore.
  kj::Maybe<const MissingHome&> missingHome() const { return home; }

  // Members of the tree that live.
  uint countMembers() { return tree->count(); }

  // False if nothing was there to get it.
  kj::Promise<bool> signal(int number, rpc::SignalScope scope);

  // SIGHUP and SIGTERM to the tree, SIGKILL after rpc::KILL_GRACE_MILLIS; resolves when no member is
  // left.  It goes on when the promise is dropped; calling it again joins.
  kj::Promise<void> end();

  // Nobody will end it or ask for its members: if none lives, what the tree takes (a cgroup and two descriptors) is freed.
  void releaseTree();

private:
  Programs& programs;
  const pid_t leader;
  const ProgramMark programMark;
  const Place place;
  const Label label;
  const kj::Maybe<MissingHome> home;
  kj::Own<ProcessTree> tree;
  bool isTimedOut = false;
  bool isEnding = false;  // `ending` is under way
  kj::Maybe<kj::ForkedPromise<void>> ending;
  kj::ForkedPromise<ExitStatus> exit;
  kj::Promise<void> deadline = nullptr;

  kj::Promise<ExitStatus> run(kj::Promise<ExitStatus> exit);
  kj::Promise<void> endAfter(kj::Duration timeLimit);
  kj::Promise<void> runEnd();
};

}  // namespace bothy
