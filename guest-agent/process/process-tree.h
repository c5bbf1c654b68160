#pragma once

#include <kj/array.h>
#include <kj/async-unix.h>
#include <kj/function.h>
#include <kj/string.h>
#include <kj/vector.h>
#include <sys/types.h>

#include "process/exit-status.h"
#include "process/loop-touches.h"
#include "process/program-kind.h"
#include "process/spawn.h"

namespace bothy {

// A started program with all that it has started in turn and that still lives.  One tree for each
// program; its implementation is a cgroup, or where there is none the session.
//
// Dropping it kills nobody: members go on, unobserved.
class ProcessTree {
public:
  virtual ~ProcessTree() noexcept(false) {}

  // The directory into which the leader is to be born, or none.
  virtual kj::Maybe<int> cgroupFd() = 0;
  // A child that was made in it beforehand and waits to become the leader.  Once.
  virtual kj::Maybe<kj::Own<Spawner::Prepared>> takePrepared() { return nullptr; }
  // Its program is `user`'s: the mark of what the event loop shares with that.
  virtual ProgramMark markAs(LoopTouches& touches, uid_t user) { return touches.markOf(user); }
  // The leader was started.
  virtual void adopt(pid_t leader) = 0;
  // How many members live.
  virtual uint count() = 0;
  // Sends the signals to every member, also to those that they are just starting; false if there was none.  To be
  // awaited before this is dropped.
  virtual kj::Promise<bool> signal(kj::Array<int> numbers) = 0;
  // SIGKILL for every member, and for those that they are just starting.
  virtual void kill() = 0;
  // Resolves when no member lives.
  virtual kj::Promise<void> onEmpty() = 0;
  // What all that ever were members have taken until now.  None: nobody counts it.
  virtual kj::Maybe<Usage> usage() { return nullptr; }
};

// Makes trees.
class ProcessTrees final {
public:
  // `touches` and `spawner` outlive it.  `cgroupRoot`: as Programs::Options.
  ProcessTrees(kj::UnixEventPort& eventPort, LoopTouches& touches, Spawner& spawner,
               kj::Maybe<kj::StringPtr> cgroupRoot);
  ~ProcessTrees() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(ProcessTrees);

  // Without a cgroup where none can be made: a program that is followed less well is better than none.
  kj::Own<ProcessTree> create(ProgramKind kind = ProgramKind::COMMAND);
  kj::Own<ProcessTree> createWithoutCgroup();

  // Whether programs have so little left of what they may have together (LEAST_TASKS_LEFT, LEAST_MEMORY_LEFT) that a shell
  // could not do its work among them.
  bool isScarce();
  // In the reserve, which programs cannot use up.  None: MAX_RESERVE_TREES are in use, or there is no reserve.
  kj::Maybe<kj::Own<ProcessTree>> createInReserve();

  // The program to whose tree a process belongs, which may have just ended.  None: it is not known.
  kj::Maybe<pid_t> leaderOf(pid_t member);

  // Nothing is made beforehand any more, and the children that wait are killed.
  void endPrepared();
  // Children that wait for their programs; a process that is, or was just now, one of them.
  kj::uint countPrepared() const;
  bool isPrepared(pid_t process) const;

  class CgroupPool;

private:
  kj::UnixEventPort& eventPort;
  LoopTouches& touches;
  Spawner& spawner;
  // "programs", whose limits are those of all of them.
  kj::AutoCloseFd programs;
  kj::Maybe<kj::Own<CgroupPool>> terminals, commands, reserve;

  kj::Maybe<kj::Own<CgroupPool>> openPool(kj::StringPtr directory, size_t mostFresh);
};

// For a shell with what it starts to find and end what took the rest.
constexpr uint64_t LEAST_TASKS_LEFT = 32;
constexpr uint64_t LEAST_MEMORY_LEFT = 16 * 1024 * 1024;  // bytes
// Programs in the reserve at a time.
constexpr kj::uint MAX_RESERVE_TREES = 4;

// Sends the signals to the processes that `look` finds, and looks again until it finds no other; whether it reached one.
// That none is missed is sure only if they are frozen: a fork(2) that is under way shows itself when it is done.
bool signalAll(kj::ArrayPtr<const int> numbers, kj::FunctionParam<kj::Vector<pid_t>()> look);

// The directories below a cgroup root in which those of programs are.
constexpr kj::StringPtr PROGRAM_GROUPS = "programs"_kj;
constexpr kj::StringPtr TERMINAL_GROUPS = "programs/terminals"_kj;
constexpr kj::StringPtr COMMAND_GROUPS = "programs/commands"_kj;
constexpr kj::StringPtr RESERVE_GROUPS = "reserve"_kj;

// Of each control group, those of single programs too: entered by name, since who lists a directory has its lock meanwhile, which the agent
// needs.  Root may all the same.
constexpr mode_t GROUP_MODE = 0711;

// Makes them, the outer ones first; those that are there already stay.
void makeProgramGroups(int cgroupRoot);

}  // namespace bothy
