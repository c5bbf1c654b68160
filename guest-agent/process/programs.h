#pragma once

#include <kj/async-unix.h>
#include <kj/timer.h>
#include <kj/vector.h>

#include "output/output-budget.h"
#include "process/left-pipes.h"
#include "process/login-environment.h"
#include "process/loop-touches.h"
#include "process/process-tree.h"
#include "process/program-listener.h"
#include "process/reaper.h"
#include "process/runtime-directory.h"
#include "process/spawn.h"
#include "process/user-database.h"
#include "wire/waiters.h"

namespace bothy {

// What every program that the agent starts needs: made once by main, used by reference by terminals,
// processes and services.  Outlives all of them.
class Programs final: private kj::TaskSet::ErrorHandler {
public:
  struct Options {
    // Where passwd, group, environment and default/locale are read: absolute.
    kj::String etcDirectory = kj::str("/etc");
    // Where the users' runtime directories are: absolute.
    kj::String runDirectory = kj::str("/run");
    // Whose terminals and processes those are that name no user.
    kj::String defaultUser = kj::str("user");
    // A cgroup v2 directory of the agent's own, without processes, with the directories of makeProgramGroups(), in which
    // each program gets one.  None: trees are followed by session and parent, which loses a process that left both.
    kj::Maybe<kj::String> cgroupRoot;
    // The cgroup namespace of programs, borrowed, in which they see no control groups but their own.  None: they see all.
    kj::Maybe<int> cgroupNamespace;
    // What is kept of outputs, see OutputBudget.
    size_t outputBytes = outputBytesOfThisMachine();
  };

  // Reaper::captureChildExit() must have been called before `eventPort` was made.
  Programs(kj::UnixEventPort& eventPort, kj::Timer& timer, Options options);
  ~Programs() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(Programs);

  kj::UnixEventPort& eventPort;
  kj::Timer& timer;
  const Options options;
  LoopTouches touches;
  // Of what everybody may hold up.
  const ProgramMark anybodys = touches.markOfAnybody();
  // Of terminals and of programs that are kept.
  OutputBudget outputs;
  Reaper reaper;
  Spawner spawner;
  ProcessTrees trees;
  UserDatabase users;
  LoginEnvironments environments;
  RuntimeDirectories runtimeDirectories;
  LeftPipes leftPipes;

  // Programs started by `Processes` that have not been disposed of; at most rpc::MAX_PROCESSES.
  uint processCount = 0;

  void programDisposed();
  // Resolves when none is left.
  kj::Promise<void> onAllDisposed();

  kj::Maybe<ProgramListener&> listener;
  // Of those that `listener` hears of: one has begun, or ended.
  void programBegan(ProgramKind kind);
  void programStopped(ProgramKind kind);

  // The machine's end was ordered: no program is started any more, and no child waits for one.
  void endStarts();
  bool machineEnds = false;

  // Work that goes on after whoever began it is gone: the end of a dropped process.
  void runInBackground(kj::Promise<void> task);
  // Resolves when no such work is left.
  kj::Promise<void> onBackgroundIdle();

private:
  Waiters allDisposed;
  RunningPrograms running;
  kj::TaskSet background;
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
