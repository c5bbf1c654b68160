#pragma once

#include <kj/async-unix.h>
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
  // Sends a signal to every member; false if there was none.
  virtual bool signal(int number) = 0;
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

  kj::Own<ProcessTree> create();

  class CgroupPool;

private:
  kj::UnixEventPort& eventPort;
  kj::Maybe<kj::Own<CgroupPool>> cgroups;
};

// Makes `path` (absolute, in a mounted cgroup v2) ready to be a cgroup root, and moves the calling
// process, which must have one thread, into the sibling `agent` within it: programs are in `path`/…,
// the agent in `path`/agent.
void prepareCgroupRoot(kj::StringPtr path);

}  // namespace bothy
