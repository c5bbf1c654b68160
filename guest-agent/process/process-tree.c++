#include "process/process-tree.h"

#include "process/cgroup-tree.h"
#include "process/session-tree.h"

namespace bothy {

ProcessTrees::ProcessTrees(kj::UnixEventPort& eventPort, kj::Maybe<kj::StringPtr> cgroupRoot)
    : eventPort(eventPort) {
  KJ_IF_MAYBE (path, cgroupRoot) {
    cgroups = kj::heap<CgroupPool>(eventPort, *path);
  }
}

ProcessTrees::~ProcessTrees() noexcept(false) {}

kj::Own<ProcessTree> ProcessTrees::create() {
  KJ_IF_MAYBE (pool, cgroups) {
    return (*pool)->create();
  }
  return newSessionTree(eventPort);
}

}  // namespace bothy
