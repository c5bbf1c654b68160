#pragma once

#include <kj/async-unix.h>
#include <kj/io.h>
#include <kj/string.h>
#include <kj/vector.h>
#include <sys/types.h>

#include "process/exit-status.h"
#include "process/loop-touches.h"

namespace bothy {

// A cgroup v2 directory for one program and all that it starts.  The guest's root may do anything to it: remove it, nest
// others in it, freeze it.  So nothing here fails once it is made: what is gone is empty.
//
// Dropping it removes it with those nested in it, unless a process is in one of them.
class Cgroup final {
public:
  // Makes the directory `name` in the directory `root`.  Both outlive it, and `touches`.  Throws if that cannot be.
  Cgroup(kj::UnixEventPort& eventPort, LoopTouches& touches, int root, kj::String name);
  ~Cgroup() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(Cgroup);

  const kj::String name;
  int fd() const { return directory.get(); }
  // Its program is `user`'s from now on: the mark of what is shared with that.
  ProgramMark markAs(uid_t user);
  // What a look tells of one that no program has been in: root may have frozen it, or moved somebody in or out.
  enum class Rest { EMPTY, POPULATED, FROZEN };
  Rest rest() const;
  bool isPopulated() const;
  kj::Promise<void> onEmpty();

  // Sends the signals to all processes in it and in those nested in it; whether one got them.  They are frozen
  // meanwhile, so that none is missed that another is just starting; but no longer than FREEZE_LIMIT, because one that
  // waits for a device does not freeze.  To be awaited before this is dropped.
  kj::Promise<bool> signal(kj::Array<int> numbers);

  // What all that were in it, and in those nested in it, have taken; 0 for what has no controller.  None: it is gone.
  kj::Maybe<Usage> usage() const;

  // Processes in it and in those nested in it.
  kj::Vector<pid_t> members() const;
  // SIGKILL for all of them at once, and for those that they are just starting.
  void kill();

private:
  kj::UnixEventPort& eventPort;
  LoopTouches& touches;
  const int root;
  kj::AutoCloseFd directory;
  kj::AutoCloseFd events;
  // What usage() reads, opened beforehand: a program's end waits for it.
  kj::Maybe<kj::AutoCloseFd> cpuStat, memoryPeak, memoryEvents;
  kj::AutoCloseFd killFile;  // none: the kernel has none
  ProgramMark mark;
  kj::Maybe<kj::UnixEventPort::FdObserver> observer;
  uint freezes = 0;  // by signal(), under way
  bool isFrozenByUs = false;

  void freeze();
  void thaw();
  kj::Promise<void> onFrozen();
};

constexpr kj::Duration FREEZE_LIMIT = 100 * kj::MILLISECONDS;

// Lets go on what somebody has frozen in the cgroups within the one at `path`, and in that itself.  `mark`: of those who may list them.
void thawWithin(kj::StringPtr path, ProgramMark mark);

// Processes in the cgroups within the one at `path`, which is mounted: those of the root itself are the kernel's.  None
// if there is no such directory.  `mark` as above.
kj::Maybe<uint> countProcessesWithin(kj::StringPtr path, ProgramMark mark);

}  // namespace bothy
