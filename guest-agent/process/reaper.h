#pragma once

#include <kj/async-unix.h>
#include <kj/map.h>
#include <sys/types.h>

#include "process/exit-status.h"
#include "process/loop-touches.h"
#include "wire/waiters.h"

namespace bothy {

// The only waiter of the agent: collects every child that ends, its own and the orphans that PID 1
// adopts, and tells whoever asked about a pid.
//
// SIGCHLD comes by a signalfd, not by kj::UnixEventPort::onChildExit(): KJ takes signals only when
// epoll has no event to report, so a flood of output would hold back the news of every exit.
//
// One per process.  Nothing else may wait for children or capture SIGCHLD.
class Reaper final {
public:
  // Blocks SIGCHLD.  To be called before the event loop is set up and before there is a second thread.
  static void captureChildExit();

  // `mark`: of those who may hold up the collecting.  What a child of theirs leaves to the kernel is done in waitpid(2): a mount on
  // /proc/PID is taken down there, and waits for its FUSE server.
  explicit Reaper(kj::UnixEventPort& eventPort, ProgramMark mark = ProgramMark());
  ~Reaper() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(Reaper);

  // Resolves when `pid` has ended, and frees its number: whoever may signal it must ask isAlive()
  // first.  To be called in the turn of the event loop in which the child was started, once for each.
  kj::Promise<ExitStatus> onExit(pid_t pid);

  // Whether `pid`, given to onExit(), has not been collected: only then is the number surely its.
  bool isAlive(pid_t pid) const;

  // Resolves when no child is left.  For PID 1 that means no other process at all.
  kj::Promise<void> onChildless();

private:
  const ProgramMark mark;
  kj::AutoCloseFd signals;
  kj::UnixEventPort::FdObserver observer;
  kj::HashMap<pid_t, kj::Own<kj::PromiseFulfiller<ExitStatus>>> waiters;
  Waiters childless;
  kj::Promise<void> loop;

  kj::Promise<void> run();
  void collect();
  pid_t collectOne(int& status);
};

}  // namespace bothy
