#pragma once

#include "process/cgroup.h"
#include "process/process-tree.h"

namespace bothy {

// Trees that are cgroups: no process can leave one, unless root moves it, so none is missed.
//
// Each program gets one that is new: what the one before it, or root, has written to its own (limits, nested cgroups,
// frozen, removed) is nobody else's.  A few are made before they are needed, because that takes longer than the fork; and in each
// a child that waits to become its program.
class ProcessTrees::CgroupPool final: private kj::TaskSet::ErrorHandler {
public:
  // `directory`: where they are.  At most `mostFresh` are made beforehand.  Throws if it cannot be opened.
  CgroupPool(kj::UnixEventPort& eventPort, LoopTouches& touches, Spawner& spawner,
             kj::StringPtr directory, size_t mostFresh);
  ~CgroupPool() noexcept(false);

  // None if no cgroup can be made.
  kj::Maybe<kj::Own<ProcessTree>> create();
  // Those that have been created, and of which a process lives or somebody holds the tree.
  kj::uint inUse() const { return used; }
  // Of the tree whose leader `member` is, or in whose cgroup it is by `path`, as /proc/PID/cgroup has that.
  kj::Maybe<pid_t> leaderOf(pid_t member, kj::ArrayPtr<const char> path);

  // See ProcessTrees.
  void endFresh();
  kj::uint countPrepared() const;
  bool isPrepared(pid_t process) const;

private:
  class Tree;
  // One that is new, with the child that waits in it, if there is one.
  struct Fresh {
    kj::Own<Cgroup> cgroup;
    kj::Maybe<kj::Own<Spawner::Prepared>> prepared;
  };

  kj::UnixEventPort& eventPort;
  LoopTouches& touches;
  Spawner& spawner;
  kj::AutoCloseFd root;
  size_t mostFresh;
  uint64_t nextNumber = 0;
  kj::uint used = 0;
  const kj::String place;  // last part of its path
  kj::Vector<Tree*> trees;
  kj::Vector<Fresh> fresh;
  kj::TaskSet leftovers;

  Fresh take();
  // As far as a look tells: root may have frozen it, moved the child elsewhere, or killed it.
  static bool isFresh(const Fresh& taken);
  kj::Own<Cgroup> make();
  void makeFresh();
  void release(kj::Own<Cgroup> cgroup);
  kj::Promise<void> replaceWhenEmpty(kj::Own<Cgroup> cgroup);
  static kj::Promise<void> removeWhenEmpty(kj::Own<Cgroup> cgroup);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
