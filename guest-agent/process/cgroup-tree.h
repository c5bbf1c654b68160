#pragma once

#include "process/process-tree.h"

namespace bothy {

// Trees that are cgroups: no process can leave one, so none is missed.  Empty cgroups are kept for the
// next program: making and removing one costs more than the fork.
class ProcessTrees::CgroupPool final: private kj::TaskSet::ErrorHandler {
public:
  // `root`: see ProcessHost::Options::cgroupRoot.
  CgroupPool(kj::UnixEventPort& eventPort, kj::StringPtr root);
  ~CgroupPool() noexcept(false);

  kj::Own<ProcessTree> create();

private:
  class Cgroup;
  class Tree;

  kj::UnixEventPort& eventPort;
  kj::AutoCloseFd root;
  uint64_t nextNumber = 0;
  kj::Vector<kj::Own<Cgroup>> idle;
  kj::TaskSet leftovers;

  kj::Own<Cgroup> make();
  void release(kj::Own<Cgroup> cgroup);
  kj::Promise<void> releaseWhenEmpty(kj::Own<Cgroup> cgroup);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
