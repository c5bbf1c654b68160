#include "process/process-tree.h"

#include <signal.h>

#include <kj/debug.h>
#include <kj/map.h>

#include "process/cgroup-tree.h"
#include "process/session-tree.h"

namespace bothy {

namespace {

// Members that fork faster than they are found are not reached all: SIGKILL does that otherwise.
constexpr uint MAX_LOOKS = 32;

}  // namespace

ProcessTrees::ProcessTrees(kj::UnixEventPort& eventPort, kj::Maybe<kj::StringPtr> cgroupRoot)
    : eventPort(eventPort) {
  KJ_IF_MAYBE (path, cgroupRoot) {
    KJ_IF_MAYBE (problem, kj::runCatchingExceptions(
                              [&]() { cgroups = kj::heap<CgroupPool>(eventPort, *path); })) {
      KJ_LOG(ERROR, "programs run without control groups", problem->getDescription());
    }
  }
}

ProcessTrees::~ProcessTrees() noexcept(false) {}

kj::Own<ProcessTree> ProcessTrees::create() {
  KJ_IF_MAYBE (pool, cgroups) {
    KJ_IF_MAYBE (tree, (*pool)->create()) {
      return kj::mv(*tree);
    }
  }
  return createWithoutCgroup();
}

kj::Own<ProcessTree> ProcessTrees::createWithoutCgroup() {
  return newSessionTree(eventPort);
}

bool signalAll(kj::ArrayPtr<const int> numbers, kj::FunctionParam<kj::Vector<pid_t>()> look) {
  kj::HashSet<pid_t> reached;
  bool delivered = false;
  for (uint i = 0; i < MAX_LOOKS; i++) {
    bool isComplete = true;
    for (pid_t pid : look()) {
      if (reached.contains(pid)) continue;
      reached.insert(pid);
      isComplete = false;
      // A member that ends in between frees its number only once the reaper, which is this thread, has collected it:
      // children of the agent.  Of others the parent may be quicker: as for any kill(1).
      for (int number : numbers) {
        if (::kill(pid, number) == 0) delivered = true;
      }
    }
    if (isComplete) break;
  }
  return delivered;
}

}  // namespace bothy
