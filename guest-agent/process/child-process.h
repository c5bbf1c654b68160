#pragma once

#include <kj/refcount.h>

#include "process/command.h"

namespace bothy {

// A program that runs, or has ended, with the tree of what it has started.  Terminals and executions
// each own one.
//
// Dropping the last reference kills nobody and waits for nobody: whoever drops a running one calls
// end() in the background before.
class ChildProcess final: public kj::Refcounted {
public:
  // Starts what `request` says, in a tree of its own.  Dropping the promise kills what may have begun.
  static kj::Promise<kj::OneOf<kj::Own<ChildProcess>, StartFailure>> start(ProcessHost& host,
                                                                           SpawnRequest request);

  ChildProcess(ProcessHost& host, pid_t pid, kj::Promise<ExitStatus> exit,
               kj::Own<ProcessTree> tree);
  ~ChildProcess() noexcept(false);

  pid_t pid() const { return leader; }
  bool isRunning() const { return host.reaper.isAlive(leader); }

  // Resolves when the program itself has ended.
  kj::Promise<ExitStatus> onExit() { return exit.addBranch(); }

  // Members of the tree that live.
  uint countMembers() { return tree->count(); }

  // False if nothing was there to get it.
  bool signal(int number, rpc::SignalScope scope);

  // SIGHUP and SIGTERM to the tree, SIGKILL after rpc::KILL_GRACE_MILLIS; resolves when no member is
  // left.  It goes on when the promise is dropped; calling it again joins.
  kj::Promise<void> end();

private:
  ProcessHost& host;
  const pid_t leader;
  kj::ForkedPromise<ExitStatus> exit;
  kj::Own<ProcessTree> tree;
  kj::Maybe<kj::ForkedPromise<void>> ending;

  kj::Promise<void> runEnd();
};

}  // namespace bothy
