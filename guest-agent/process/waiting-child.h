#pragma once

#include <kj/async-unix.h>
#include <kj/io.h>
#include <sys/types.h>

#include "process/spawned-child.h"

namespace bothy {

constexpr size_t STANDARD_FDS = 3;

// A child that has the agent's memory and waits to hear what it runs, with all the memory that it uses.
//
// Dropping it kills the child, and waits until it no longer uses that memory: whoever drops one that is not gone first awaits onGone().
class WaitingChild final {
public:
  // Enough for the child's few frames; execve(2) leaves it.
  static constexpr size_t STACK_BYTES = 16 * 1024;

  // `ignoredSignals` are borrowed.  `cgroupNamespace`: of programs; -1: that of the agent.
  WaitingChild(kj::ArrayPtr<const int> ignoredSignals, int cgroupNamespace);
  ~WaitingChild() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(WaitingChild);

  // Makes the process, in the cgroup if the kernel allows it.  The errno if there is none, else 0.
  int make(kj::UnixEventPort& eventPort, kj::Maybe<int> cgroup);
  // To be changed before run() alone.
  ChildPlan plan = {};
  // Has it run what `plan` says, with copies of these descriptors as 0, 1 and 2.  The errno if it hears nothing, because it is dead
  // or has no descriptor left, else 0.
  int run(const int (&standardFds)[STANDARD_FDS]);

  // Resolves when it runs its program, or is dead.
  kj::Promise<void> onGone();
  bool isGone() const { return gone; }
  pid_t pid() const { return process; }
  // Not in the cgroup that was given, which the kernel refused.
  bool isOutsideCgroup() const { return outsideCgroup; }

private:
  kj::Array<kj::byte> stack;
  // The child has the other end until it is gone.
  kj::AutoCloseFd socket;
  kj::Maybe<kj::UnixEventPort::FdObserver> observer;
  pid_t process = 0;
  bool gone = true;
  bool outsideCgroup = false;

  long clone(uint64_t flags, int cgroup);
  long cloneWithoutHandlers();
};

}  // namespace bothy
