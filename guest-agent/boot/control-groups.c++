#include "boot/control-groups.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <kj/vector.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot/failure.h"
#include "boot/machine-file.h"
#include "output/output-budget.h"
#include "process/group-room.h"
#include "process/proc-text.h"
#include "process/process-tree.h"
#include "process/text-file.h"

namespace bothy {
namespace {

constexpr kj::StringPtr MOUNT_POINT = "/sys/fs/cgroup"_kj;
constexpr kj::StringPtr OWN_NAMESPACE = "/proc/self/ns/cgroup"_kj;
constexpr uint64_t KIB = 1024;

// Those that programs have in groups of their own; what they hand on to groups within them is their choice among these.
constexpr kj::StringPtr PROGRAM_CONTROLLERS = "+cpu +memory +pids"_kj;

kj::AutoCloseFd openPath(kj::StringPtr path, int flags) {
  int fd = ::open(path.cStr(), flags | O_CLOEXEC);
  if (fd < 0) failCall(path);
  return kj::AutoCloseFd(fd);
}

void makeDirectory(kj::StringPtr path) {
  if (::mkdir(path.cStr(), GROUP_MODE) < 0 && errno != EEXIST) failCall(path);
}

// Hands on all that a group has, so that an engine finds what it finds elsewhere.  All at once, because each change waits
// for a grace period of the kernel's RCU.
void enableAllControllers(kj::StringPtr group) {
  auto available = readTextFile(kj::str(group, "/cgroup.controllers"));
  kj::Vector<kj::String> wanted;
  kj::String name;
  for (char c : available) {
    if (c != ' ' && c != '\n') {
      name = kj::str(name, c);
    } else if (name.size() > 0) {
      wanted.add(kj::str('+', name));
      name = kj::String();
    }
  }
  if (wanted.size() > 0) {
    writeSetting(kj::str(group, "/cgroup.subtree_control"), kj::strArray(wanted, " "));
  }
}

void enter(kj::StringPtr group) {
  writeSetting(kj::str(group, "/cgroup.procs"), "0");
}

// Mounted from within the namespace of programs, it begins with their group.
void mountGroups() {
  if (::mount("cgroup2", MOUNT_POINT.cStr(), "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) <
      0) {
    failCall("mount(cgroup2)");
  }
}

// For a process that is in `programs`.
kj::AutoCloseFd hideOthers() {
  auto own = openPath(OWN_NAMESPACE, O_RDONLY);
  if (::unshare(CLONE_NEWCGROUP) < 0) failCall("unshare(cgroup)");
  KJ_DEFER({
    if (::setns(own.get(), CLONE_NEWCGROUP) < 0) {
      KJ_LOG(ERROR, "the agent cannot leave the namespace of programs", strerror(errno));
    }
  });
  auto ofPrograms = openPath(OWN_NAMESPACE, O_RDONLY);
  if (::umount2(MOUNT_POINT.cStr(), MNT_DETACH) < 0) failCall("umount(cgroup2)");
  mountGroups();
  return ofPrograms;
}

uint64_t numberInFile(kj::StringPtr path) {
  auto text = readTextFile(path);
  return kj::StringPtr(kj::heapString(trimmed(text.asArray())))
      .tryParseAs<uint64_t>()
      .orDefault(UINT64_MAX);
}

MachineSize measureMachine() {
  MachineSize result;
  result.memoryBytes = parseField(readTextFile("/proc/meminfo"), "MemAvailable") * KIB;
  result.tasks = kj::min(numberInFile("/proc/sys/kernel/threads-max"),
                         numberInFile("/proc/sys/kernel/pid_max"));
  result.outputBytes = outputBytesOfThisMachine();
  result.ownTasks = 0;
  unsigned long long number;
  // "0.00 0.01 0.05 1/80 1234": the second number of the fourth is all of them.
  if (sscanf(readTextFile("/proc/loadavg").cStr(), "%*f %*f %*f %*u/%llu", &number) == 1) {
    result.ownTasks = number;
  }
  return result;
}

}  // namespace

kj::Maybe<ProgramsLimits> limitsOf(const MachineSize& size) {
  if (size.memoryBytes == 0 || size.tasks == 0) return nullptr;
  auto without = [](uint64_t all, uint64_t kept) {
    const auto least = all / LEAST_PROGRAMS_SHARE;
    return all > kept ? kj::max(all - kept, least) : least;
  };
  ProgramsLimits result;
  result.memoryBytes =
      without(size.memoryBytes, AGENT_MEMORY + size.outputBytes + RESERVE_MEMORY + KERNEL_MEMORY);
  result.tasks = kj::min(without(size.tasks, size.ownTasks + KERNEL_TASKS + RESERVE_TASKS),
                         result.memoryBytes / LEAST_TASK_MEMORY);
  return result;
}

kj::String ControlGroups::path() const {
  return kj::str("/proc/self/fd/", whole.get(), "/bothy");
}

ControlGroups makeControlGroups() {
  ControlGroups groups;
  groups.whole = openPath(MOUNT_POINT, O_PATH | O_DIRECTORY);
  // Not that of a mount point on which nothing is.
  auto root = kj::str("/proc/self/fd/", groups.whole.get());
  if (::access(kj::str(root, "/cgroup.procs").cStr(), F_OK) < 0) failCall("control groups");
  auto own = groups.path();
  makeDirectory(own);
  kj::runCatchingExceptions([&]() {
    // limitControlGroups() says so where it matters.
    enableAllControllers(root);
    enableAllControllers(own);
  });
  auto agent = kj::str(own, "/agent"), programs = kj::str(own, '/', PROGRAM_GROUPS);
  makeDirectory(agent);
  makeDirectory(programs);
  // Before it has controllers to hand on: no process may be in it then.
  auto hiding = kj::runCatchingExceptions([&]() {
    enter(programs);
    groups.programs = hideOthers();
  });
  KJ_IF_MAYBE (problem, hiding) {
    KJ_LOG(ERROR, "programs see all control groups", problem->getDescription());
  }
  enter(agent);
  makeProgramGroups(openPath(own, O_PATH | O_DIRECTORY).get());
  makeDirectory(kj::str(own, "/services"));
  if (::access(kj::str(MOUNT_POINT, "/cgroup.procs").cStr(), F_OK) < 0) mountGroups();
  return groups;
}

void limitControlGroups(const ControlGroups& groups) {
  auto own = groups.path();
  kj::Vector<kj::String> problems;
  auto set = [&](kj::StringPtr group, kj::StringPtr file, auto value) {
    KJ_IF_MAYBE (problem, kj::runCatchingExceptions([&]() {
                   writeSetting(kj::str(own, '/', group, '/', file), kj::str(value));
                 })) {
      problems.add(kj::str(group, '/', file, ": ", problem->getDescription()));
    }
  };
  for (auto group : {PROGRAM_GROUPS, TERMINAL_GROUPS, COMMAND_GROUPS, RESERVE_GROUPS}) {
    set(group, "cgroup.subtree_control", PROGRAM_CONTROLLERS);
  }
  KJ_IF_MAYBE (limits, limitsOf(measureMachine())) {
    set(PROGRAM_GROUPS, "memory.max", limits->memoryBytes);
    set(PROGRAM_GROUPS, "pids.max", limits->tasks);
  } else {
    problems.add(kj::str("it is not known how much memory the machine has"));
  }
  set(RESERVE_GROUPS, "memory.max", RESERVE_MEMORY);
  set(RESERVE_GROUPS, "pids.max", RESERVE_TASKS);
  set(RESERVE_GROUPS, "memory.min", RESERVE_MEMORY);
  const auto ofAgent = AGENT_MEMORY + outputBytesOfThisMachine();
  set("agent", "memory.min", ofAgent);
  // What a group has is no more than that of the one around it.
  set(".", "memory.min", ofAgent + RESERVE_MEMORY);
  set("agent", "cpu.weight", AGENT_WEIGHT);
  set(RESERVE_GROUPS, "cpu.weight", RESERVE_WEIGHT);
  if (problems.size() > 0) failStage(kj::strArray(problems, "; "));
}

}  // namespace bothy
