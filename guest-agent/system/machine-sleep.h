#pragma once

#include <kj/async.h>
#include <kj/common.h>
#include <kj/io.h>
#include <kj/mutex.h>
#include <kj/string.h>
#include <kj/thread.h>
#include <kj/timer.h>

namespace bothy {

// What is done within a machine before its memory is saved, and when it goes on with that.
class MachineSleep {
public:
  // Resolves when the programs of users stand still and nothing that they have written is in memory alone; whether the disk stands still, too.
  // They go on by themselves after `thawAfter`, if thaw() does not come first.  Fails where they do not stand still, and go on then.
  virtual kj::Promise<bool> freeze(kj::Duration thawAfter) = 0;
  // Whether they stood still until now.
  virtual bool thaw() = 0;
  // Has the kernel's randomness go on from another point.
  virtual void reseed(kj::ArrayPtr<const kj::byte> seed) = 0;
};

// That of the kernel's control groups, file systems and randomness.
class KernelMachineSleep final: public MachineSleep {
public:
  // `groups`: directories of the control groups of all programs.  `mount`: of the workspace's disk, if there is one; outlives this.
  KernelMachineSleep(kj::Timer& timer, kj::Array<kj::String> groups, kj::Maybe<int> mount)
      : timer(timer), groups(kj::mv(groups)), mount(mount) {}
  ~KernelMachineSleep() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(KernelMachineSleep);

  kj::Promise<bool> freeze(kj::Duration thawAfter) override;
  bool thaw() override;
  void reseed(kj::ArrayPtr<const kj::byte> seed) override;

private:
  kj::Timer& timer;
  const kj::Array<kj::String> groups;
  const kj::Maybe<int> mount;
  struct State {
    bool isToEnd = false;
    bool isFrozen = false;
  };
  kj::MutexGuarded<State> state;
  // It has the watch: who writes to a disk that is frozen stands still, and that may be the loop.
  kj::Maybe<kj::Own<kj::Thread>> keeper;

  void write(kj::StringPtr value) const;
  bool isStill() const;
  // On the thread.
  void keep(kj::Duration thawAfter, kj::Own<kj::CrossThreadPromiseFulfiller<bool>> frozen);
};

}  // namespace bothy
