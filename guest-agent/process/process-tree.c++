#include "process/process-tree.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include <kj/debug.h>
#include <kj/map.h>

#include "process/cgroup-tree.h"
#include "process/group-room.h"
#include "process/session-tree.h"
#include "process/text-file.h"

namespace bothy {

namespace {

// Members that fork faster than they are found are not reached all: SIGKILL does that otherwise.
constexpr uint MAX_LOOKS = 32;

// Control groups that are made for the next programs, and a child in each.  Terminals come one at a time.
constexpr size_t FRESH_COMMAND_GROUPS = 4;
constexpr size_t FRESH_TERMINAL_GROUPS = 1;

}  // namespace

ProcessTrees::ProcessTrees(kj::UnixEventPort& eventPort, LoopTouches& touches, Spawner& spawner,
                           kj::Maybe<kj::StringPtr> cgroupRoot)
    : eventPort(eventPort), touches(touches), spawner(spawner) {
  KJ_IF_MAYBE (root, cgroupRoot) {
    int fd = open(kj::str(*root, '/', PROGRAM_GROUPS).cStr(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) programs = kj::AutoCloseFd(fd);
    terminals = openPool(kj::str(*root, '/', TERMINAL_GROUPS), FRESH_TERMINAL_GROUPS);
    commands = openPool(kj::str(*root, '/', COMMAND_GROUPS), FRESH_COMMAND_GROUPS);
    reserve = openPool(kj::str(*root, '/', RESERVE_GROUPS), 0);
  }
}

ProcessTrees::~ProcessTrees() noexcept(false) {}

kj::Maybe<kj::Own<ProcessTrees::CgroupPool>> ProcessTrees::openPool(kj::StringPtr directory,
                                                                    size_t mostFresh) {
  kj::Maybe<kj::Own<CgroupPool>> result;
  KJ_IF_MAYBE (problem, kj::runCatchingExceptions([&]() {
                 result = kj::heap<CgroupPool>(eventPort, touches, spawner, directory, mostFresh);
               })) {
    KJ_LOG(ERROR, "programs run without control groups", problem->getDescription());
  }
  return result;
}

kj::Own<ProcessTree> ProcessTrees::create(ProgramKind kind) {
  KJ_IF_MAYBE (pool, kind == ProgramKind::TERMINAL ? terminals : commands) {
    KJ_IF_MAYBE (tree, (*pool)->create()) {
      return kj::mv(*tree);
    }
  }
  return createWithoutCgroup();
}

kj::Maybe<pid_t> ProcessTrees::leaderOf(pid_t member) {
  // "0::/bothy/programs/commands/program-7/nested"; of a zombie too.
  auto text = [&]() {
    Touch touch(touches.markOfAnybody());
    return readTextFile(kj::str("/proc/", member, "/cgroup"));
  }();
  kj::ArrayPtr<const char> path;
  Lines lines(text.asArray());
  for (auto line = lines.next(); line != nullptr; line = lines.next()) {
    auto& entry = KJ_ASSERT_NONNULL(line);
    if (kj::heapString(entry).startsWith("0::")) path = entry.slice(3, entry.size());
  }
  for (auto pool : {&terminals, &commands, &reserve}) {
    KJ_IF_MAYBE (present, *pool) {
      KJ_IF_MAYBE (leader, (*present)->leaderOf(member, path)) return *leader;
    }
  }
  return nullptr;
}

void ProcessTrees::endPrepared() {
  for (auto pool : {&terminals, &commands, &reserve}) {
    KJ_IF_MAYBE (present, *pool) (*present)->endFresh();
  }
}

kj::uint ProcessTrees::countPrepared() const {
  kj::uint result = 0;
  for (auto pool : {&terminals, &commands, &reserve}) {
    KJ_IF_MAYBE (present, *pool) result += (*present)->countPrepared();
  }
  return result;
}

bool ProcessTrees::isPrepared(pid_t process) const {
  for (auto pool : {&terminals, &commands, &reserve}) {
    KJ_IF_MAYBE (present, *pool) {
      if ((*present)->isPrepared(process)) return true;
    }
  }
  return false;
}

bool ProcessTrees::isScarce() {
  if (programs == nullptr) return false;
  auto room = roomIn(programs.get());
  return room.tasks < LEAST_TASKS_LEFT || room.memoryBytes < LEAST_MEMORY_LEFT;
}

kj::Maybe<kj::Own<ProcessTree>> ProcessTrees::createInReserve() {
  KJ_IF_MAYBE (pool, reserve) {
    if ((*pool)->inUse() < MAX_RESERVE_TREES) return (*pool)->create();
  }
  return nullptr;
}

kj::Own<ProcessTree> ProcessTrees::createWithoutCgroup() {
  return newSessionTree(eventPort);
}

void makeProgramGroups(int cgroupRoot) {
  for (auto name : {PROGRAM_GROUPS, TERMINAL_GROUPS, COMMAND_GROUPS, RESERVE_GROUPS}) {
    if (mkdirat(cgroupRoot, name.cStr(), GROUP_MODE) < 0 && errno != EEXIST) {
      KJ_FAIL_SYSCALL("mkdirat", errno, name);
    }
  }
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
