#include "boot/settings.h"

#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include "boot/machine-file.h"
#include "process/process-tree.h"

namespace bothy {
namespace {

constexpr rlim_t MAX_OPEN_FILES = 524288;
constexpr rlim_t AGENT_OPEN_FILES = 65536;

constexpr kj::StringPtr ROOT_CONTROL = "/sys/fs/cgroup/cgroup.subtree_control"_kj;

void set(Console& console, kj::StringPtr path, kj::StringPtr value) {
  KJ_IF_MAYBE (problem, kj::runCatchingExceptions([&]() { writeSetting(path, value); })) {
    console.say(problem->getDescription());
  }
}

}  // namespace

void applyKernelSettings(Console& console) {
  for (auto& setting : KERNEL_SETTINGS) {
    if (::access(setting.path, F_OK) == 0) {
      set(console, setting.path, setting.value);
    }
  }
}

void shieldAgent(Console& console) {
  struct rlimit files = {AGENT_OPEN_FILES, MAX_OPEN_FILES};
  if (::setrlimit(RLIMIT_NOFILE, &files) < 0) {
    console.say(kj::str("cannot raise the limit of open files: errno ", errno));
  }

  // All at once, because each change waits for a grace period of the kernel's RCU.
  set(console, ROOT_CONTROL, "+cpu +io +memory +pids");
  auto group = kj::StringPtr(PROGRAMS_CONTROL_GROUP);
  KJ_IF_MAYBE (problem, kj::runCatchingExceptions([&]() {
                 prepareCgroupRoot(group);
                 // Ten times the weight of a program: the agent must be able to stop what burns the rest.
                 writeSetting(kj::str(group, "/cgroup.subtree_control"), "+cpu");
                 writeSetting(kj::str(group, "/agent/cpu.weight"), "1000");
               })) {
    console.say(problem->getDescription());
  }
}

}  // namespace bothy
