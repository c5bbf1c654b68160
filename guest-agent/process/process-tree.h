#pragma once

#include <kj/async-unix.h>
#include <kj/function.h>
#include <kj/string.h>
#include <kj/vector.h>
#include <sys/types.h>

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
};

// Makes trees.
class ProcessTrees final {
public:
  // `cgroupRoot`: as ProcessHost::Options.
  ProcessTrees(kj::UnixEventPort& eventPort, kj::Maybe<kj::StringPtr> cgroupRoot);
  ~ProcessTrees() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(ProcessTrees);

  // Without a cgroup where none can be made: a program that is followed less well is better than none.
  kj::Own<ProcessTree> create();
  kj::Own<ProcessTree> createWithoutCgroup();

  class CgroupPool;

private:
  kj::UnixEventPort& eventPort;
  kj::Maybe<kj::Own<CgroupPool>> cgroups;
};

// Sends the signals to the processes that `look` finds, and looks again until it finds no other; whether it reached one.
// That none is missed is sure only if they are frozen: a fork(2) that is under way shows itself when it is done.
bool signalAll(kj::ArrayPtr<const int> numbers, kj::FunctionParam<kj::Vector<pid_t>()> look);

// Makes `path` (absolute, in a mounted cgroup v2) ready to be a cgroup root, and moves the calling
// process, which must have one thread, into the sibling `agent` within it: programs are in `path`/…,
// the agent in `path`/agent.
void prepareCgroupRoot(kj::StringPtr path);

}  // namespace bothy
