#include "process/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>

#include "process/raw-syscall.h"

namespace bothy {

namespace {

// Enough for the child's few frames; execve(2) leaves it.
constexpr size_t CHILD_STACK_BYTES = 16 * 1024;
constexpr uint64_t CLOSE_RANGE_ON_EXEC = 4;  // CLOSE_RANGE_CLOEXEC
constexpr int FIRST_FREE_FD = 3;
constexpr int LAST_SIGNAL = 64;

// What the child reads and writes while it shares the agent's memory.  Everything that needs an
// allocation is made before.
struct ChildPlan {
  const char* const* programs;
  const char* const* arguments;
  const char* const* environment;
  const char* workingDirectory;
  const int* fds;
  bool takeTerminal;
  bool resetOomScore;
  bool setCredentials;
  uid_t uid;
  gid_t gid;
  const gid_t* groups;
  size_t groupCount;
  const int* ignoredSignals;
  size_t ignoredSignalCount;

  bool failed;
  SpawnFailure failure;
};

[[noreturn]] BOTHY_CHILD void fail(ChildPlan& plan, SpawnFailure::Stage stage, long result) {
  plan.failure.stage = stage;
  plan.failure.errorNumber = static_cast<int>(-result);
  __atomic_store_n(&plan.failed, true, __ATOMIC_RELEASE);
  for (;;) rawSyscall(SYS_exit_group, 127);
}

// SAFETY: runs in the memory of the agent, beside it.  It calls nothing but system calls, none of them
// through libc: errno and libc's notion of the thread are the agent's.  It writes to its own stack and
// to `plan.failed` and `plan.failure`.  No signal handler can run: CLONE_CLEAR_SIGHAND.  Once
// setresuid(2) was called the memory is not dumpable, so no process of the user can attach to it.
[[noreturn]] BOTHY_CHILD void runChild(void* argument) {
  using Stage = SpawnFailure::Stage;
  auto& plan = *static_cast<ChildPlan*>(argument);
  long result;

  // CLONE_CLEAR_SIGHAND leaves ignored signals ignored, and so would execve(2).
  uint64_t defaultAction[8];
  for (auto& word : defaultAction) {
    word = 0;
    asm volatile("" : : "r"(&word) : "memory");  // or it becomes a call of memset
  }
  for (size_t i = 0; i < plan.ignoredSignalCount; i++) {
    rawSyscall(SYS_rt_sigaction, plan.ignoredSignals[i], reinterpret_cast<long>(defaultAction), 0,
               8);
  }

  if ((result = rawSyscall(SYS_setsid)) < 0) fail(plan, Stage::SESSION, result);
  for (int fd = 0; fd < FIRST_FREE_FD; fd++) {
    result = rawSyscall(SYS_dup3, plan.fds[fd], fd, 0);
    if (result < 0) fail(plan, Stage::FILES, result);
  }
  result = rawSyscall(SYS_close_range, FIRST_FREE_FD, ~0u, CLOSE_RANGE_ON_EXEC);
  if (result < 0) fail(plan, Stage::FILES, result);
  // setsid() came first: only the leader of a session without a terminal may take one.
  if (plan.takeTerminal && (result = rawSyscall(SYS_ioctl, 0, TIOCSCTTY, 0)) < 0) {
    fail(plan, Stage::TERMINAL, result);
  }
  if (plan.resetOomScore) {
    result = rawSyscall(SYS_openat, AT_FDCWD, reinterpret_cast<long>("/proc/self/oom_score_adj"),
                        O_WRONLY | O_CLOEXEC, 0);
    if (result >= 0) rawSyscall(SYS_write, result, reinterpret_cast<long>("0"), 1);
  }
  rawSyscall(SYS_umask, 022);
  if (plan.setCredentials) {
    result = rawSyscall(SYS_setgroups, plan.groupCount, reinterpret_cast<long>(plan.groups));
    if (result < 0) fail(plan, Stage::CREDENTIALS, result);
    result = rawSyscall(SYS_setresgid, plan.gid, plan.gid, plan.gid);
    if (result < 0) fail(plan, Stage::CREDENTIALS, result);
    result = rawSyscall(SYS_setresuid, plan.uid, plan.uid, plan.uid);
    if (result < 0) fail(plan, Stage::CREDENTIALS, result);
  }
  result = rawSyscall(SYS_chdir, reinterpret_cast<long>(plan.workingDirectory));
  if (result < 0) fail(plan, Stage::WORKING_DIRECTORY, result);

  uint64_t noSignals = 0;
  rawSyscall(SYS_rt_sigprocmask, SIG_SETMASK, reinterpret_cast<long>(&noSignals), 0, 8);
  // As execvp(3): a file that may not be executed does not end the search, but is what is reported.
  long worst = -ENOENT;
  for (auto program = plan.programs; *program != nullptr; program++) {
    result = rawSyscall(SYS_execve, reinterpret_cast<long>(*program),
                        reinterpret_cast<long>(plan.arguments),
                        reinterpret_cast<long>(plan.environment));
    if (result == -ENOENT || result == -ENOTDIR) continue;
    worst = result;
    if (result != -EACCES) break;
  }
  fail(plan, Stage::EXECUTE, worst);
}

kj::Array<const char*> pointers(kj::ArrayPtr<const kj::String> strings) {
  auto result = kj::heapArray<const char*>(strings.size() + 1);
  for (size_t i = 0; i < strings.size(); i++) result[i] = strings[i].cStr();
  result[strings.size()] = nullptr;
  return result;
}

kj::Array<int> findIgnoredSignals() {
  kj::Vector<int> result;
  for (int number = 1; number <= LAST_SIGNAL; number++) {
    struct sigaction action;
    if (sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) {
      result.add(number);
    }
  }
  return result.releaseAsArray();
}

bool hasOomScore() {
  int fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  kj::AutoCloseFd owned(fd);
  char text[16] = {};
  return read(fd, text, sizeof(text) - 1) > 0 && atoi(text) != 0;
}

}  // namespace

// A child between clone3(2) and execve(2), with all the memory that it uses.
struct Spawner::Launch final: public kj::Refcounted {
  SpawnRequest request;
  kj::Array<const char*> programs;
  kj::Array<const char*> arguments;
  kj::Array<const char*> environment;
  kj::AutoCloseFd movedFds[FIRST_FREE_FD];
  int fds[FIRST_FREE_FD];
  kj::Array<kj::byte> stack = kj::heapArray<kj::byte>(CHILD_STACK_BYTES);
  ChildPlan plan = {};

  // Ends when the child no longer has the other end: it runs its program, or is dead.  Only then may
  // this object go.
  kj::AutoCloseFd shared;
  kj::Maybe<kj::UnixEventPort::FdObserver> observer;
  pid_t pid = 0;
  bool settled = true;

  explicit Launch(SpawnRequest requestParam)
      : request(kj::mv(requestParam)),
        programs(pointers(request.programs)),
        arguments(pointers(request.arguments)),
        environment(pointers(request.environment)) {}

  ~Launch() noexcept(false) {
    if (settled) return;
    ::kill(pid, SIGKILL);
    struct pollfd end = {shared.get(), 0, 0};
    while (poll(&end, 1, -1) < 0 && errno == EINTR) {
    }
  }
};

Spawner::Spawner(kj::UnixEventPort& eventPort, Reaper& reaper)
    : eventPort(eventPort),
      reaper(reaper),
      ignoredSignals(findIgnoredSignals()),
      mustResetOomScore(hasOomScore()),
      launches(*this) {}

Spawner::~Spawner() noexcept(false) {}

void Spawner::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "a launch failed", exception);
}

kj::Promise<kj::OneOf<SpawnedProcess, SpawnFailure>> Spawner::spawn(SpawnRequest request) {
  using Outcome = kj::OneOf<SpawnedProcess, SpawnFailure>;
  auto launch = kj::refcounted<Launch>(kj::mv(request));
  auto& child = *launch;
  auto refuse = [](int error) -> kj::Promise<Outcome> {
    return Outcome(SpawnFailure{SpawnFailure::Stage::CLONE, error});
  };

  for (int i = 0; i < FIRST_FREE_FD; i++) {
    child.fds[i] = child.request.standardFds[i];
    if (child.fds[i] >= FIRST_FREE_FD) continue;
    // dup3(2) in the child must not run over an fd that it needs later.
    int moved = fcntl(child.fds[i], F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    if (moved < 0) return refuse(errno);
    child.movedFds[i] = kj::AutoCloseFd(moved);
    child.fds[i] = moved;
  }
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) return refuse(errno);
  child.shared = kj::AutoCloseFd(ends[0]);
  kj::AutoCloseFd childEnd(ends[1]);
  child.observer.emplace(eventPort, ends[0], kj::UnixEventPort::FdObserver::OBSERVE_READ);

  auto& plan = child.plan;
  plan.programs = child.programs.begin();
  plan.arguments = child.arguments.begin();
  plan.environment = child.environment.begin();
  plan.workingDirectory = child.request.workingDirectory.cStr();
  plan.fds = child.fds;
  plan.takeTerminal =
      child.request.controllingTerminal == SpawnRequest::ControllingTerminal::STANDARD_INPUT;
  plan.resetOomScore = mustResetOomScore;
  plan.ignoredSignals = ignoredSignals.begin();
  plan.ignoredSignalCount = ignoredSignals.size();
  KJ_IF_MAYBE (credentials, child.request.credentials) {
    plan.setCredentials = true;
    plan.uid = credentials->uid;
    plan.gid = credentials->gid;
    plan.groups = credentials->groups.begin();
    plan.groupCount = credentials->groups.size();
  }

  clone_args arguments = {};
  arguments.flags = CLONE_VM | CLONE_CLEAR_SIGHAND;
  arguments.exit_signal = SIGCHLD;
  arguments.stack = reinterpret_cast<uintptr_t>(child.stack.begin());
  arguments.stack_size = child.stack.size() & ~size_t(15);
  KJ_IF_MAYBE (cgroup, child.request.cgroupFd) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = *cgroup;
  }
  long pid = rawClone(arguments, &runChild, &plan);
  if (pid < 0) return refuse(static_cast<int>(-pid));
  child.pid = static_cast<pid_t>(pid);
  child.settled = false;
  childEnd = nullptr;

  auto paf = kj::newPromiseAndFulfiller<Outcome>();
  launches.add(finish(kj::addRef(child), kj::mv(paf.fulfiller)));
  auto abandon = kj::defer([this, launch = kj::mv(launch)]() {
    if (!launch->settled && reaper.isAlive(launch->pid)) ::kill(launch->pid, SIGKILL);
  });
  return paf.promise.attach(kj::mv(abandon));
}

kj::Promise<void> Spawner::finish(
    kj::Own<Launch> launch,
    kj::Own<kj::PromiseFulfiller<kj::OneOf<SpawnedProcess, SpawnFailure>>> fulfiller) {
  auto exit = reaper.onExit(launch->pid);
  co_await KJ_ASSERT_NONNULL(launch->observer).whenBecomesReadable();
  launch->settled = true;
  if (__atomic_load_n(&launch->plan.failed, __ATOMIC_ACQUIRE)) {
    // "Nothing was left behind" includes the zombie.
    co_await exit;
    fulfiller->fulfill(launch->plan.failure);
  } else if (fulfiller->isWaiting()) {
    fulfiller->fulfill(SpawnedProcess{launch->pid, kj::mv(exit)});
  } else if (reaper.isAlive(launch->pid)) {
    ::kill(launch->pid, SIGKILL);
  }
}

kj::Array<kj::String> searchPath(kj::StringPtr program, kj::StringPtr path) {
  if (program.findFirst('/') != nullptr) return kj::arr(kj::str(program));
  kj::Vector<kj::String> result;
  auto add = [&](kj::ArrayPtr<const char> directory) {
    if (directory.size() == 0) {
      result.add(kj::str("./", program));
    } else {
      result.add(kj::str(directory, "/", program));
    }
  };
  kj::ArrayPtr<const char> rest = path;
  size_t start = 0;
  for (size_t i = 0; i < rest.size(); i++) {
    if (rest[i] != ':') continue;
    add(rest.slice(start, i));
    start = i + 1;
  }
  add(rest.slice(start, rest.size()));
  return result.releaseAsArray();
}

}  // namespace bothy
