#include "process/spawned-child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "process/program-limits.h"
#include "process/raw-syscall.h"

// SAFETY: all of this runs in the memory of the agent, beside it, and may wait there for hours.  It calls nothing but system calls, none of
// them through libc: errno and libc's notion of the thread are the agent's.  It writes to its own stack and to the plan, which the agent
// changes before it sends the descriptors alone, and frees once the child's end of the socket is closed: execve(2) and exit(2) do that when
// they have left the memory.  No signal handler can run: CLONE_CLEAR_SIGHAND, or all signals are blocked until they are reset.  While it waits it
// is root's, as the agent is: nobody else can attach to it or signal it.  Once setresuid(2) was called the memory is not dumpable, so no
// process of the user can attach to it.

namespace bothy {

namespace {

using Stage = SpawnFailure::Stage;

constexpr int FIRST_FREE_FD = 3;
constexpr const char* SHELL = "/bin/sh";
constexpr const char* HOME_IS_ROOT = "HOME=/";

template <typename T>
BOTHY_CHILD long pointer(T* address) {
  return reinterpret_cast<long>(address);
}

[[noreturn]] BOTHY_CHILD void end() {
  for (;;) rawSyscall(SYS_exit_group, 127);
}

[[noreturn]] BOTHY_CHILD void fail(ChildPlan& plan, Stage stage, long result) {
  plan.stage = stage;
  plan.errorNumber = static_cast<int>(-result);
  __atomic_store_n(&plan.failed, true, __ATOMIC_RELEASE);
  end();
}

BOTHY_CHILD void resetSignals(const ChildPlan& plan) {
  // CLONE_CLEAR_SIGHAND leaves ignored signals ignored, and so would execve(2).
  uint64_t defaultAction[8];
  for (auto& word : defaultAction) {
    word = 0;
    asm volatile("" : : "r"(&word) : "memory");  // or it becomes a call of memset
  }
  for (size_t i = 0; i < plan.ignoredSignalCount; i++) {
    rawSyscall(SYS_rt_sigaction, plan.ignoredSignals[i], pointer(defaultAction), 0, 8);
  }
}

BOTHY_CHILD void keepSocketAlone(ChildPlan& plan) {
  if (plan.socket != FIRST_FREE_FD) {
    long result = rawSyscall(SYS_dup3, plan.socket, FIRST_FREE_FD, O_CLOEXEC);
    if (result < 0) fail(plan, Stage::FILES, result);
  }
  // Now, and not by execve(2): the child waits, and may hang in chdir(2), and would hold open what others wait to see closed.
  rawSyscall(SYS_close_range, 0, FIRST_FREE_FD - 1, 0);
  long result = rawSyscall(SYS_close_range, FIRST_FREE_FD + 1, ~0u, 0);
  if (result < 0) fail(plan, Stage::FILES, result);
}

// Until the agent sends them, or has closed its end: it is dead, or has no use for this child.
BOTHY_CHILD void awaitFds(ChildPlan& plan) {
  char start;
  iovec data = {&start, sizeof(start)};
  // Of cmsghdr, whose macros may call functions.
  struct {
    size_t size;
    int level;
    int type;
    int fds[FIRST_FREE_FD];
  } descriptors;
  descriptors.size = 0;
  msghdr message;
  message.msg_name = nullptr;
  message.msg_namelen = 0;
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = &descriptors;
  message.msg_controllen = sizeof(descriptors);
  message.msg_flags = 0;
  long result;
  do {
    result = rawSyscall(SYS_recvmsg, FIRST_FREE_FD, pointer(&message), 0);
  } while (result == -EINTR);
  if (result <= 0) end();
  // The kernel gives the lowest numbers that are free, in their order.
  for (int fd = 0; fd < FIRST_FREE_FD; fd++) {
    const bool isThere = descriptors.size >= CMSG_LEN((fd + 1) * sizeof(int));
    if (!isThere || descriptors.fds[fd] != fd) fail(plan, Stage::FILES, -EMFILE);
  }
}

// An agent that is not root may not raise its hard limit: then that stays.
BOTHY_CHILD void setLimit(const ProgramLimit& limit) {
  if (rawSyscall(SYS_prlimit64, 0, limit.resource, pointer(&limit.value), 0) >= 0) return;
  ProgramLimit::Value own;
  if (rawSyscall(SYS_prlimit64, 0, limit.resource, 0, pointer(&own)) < 0) return;
  own.soft = limit.value.soft < own.hard ? limit.value.soft : own.hard;
  rawSyscall(SYS_prlimit64, 0, limit.resource, pointer(&own), 0);
}

BOTHY_CHILD void takeCredentials(ChildPlan& plan) {
  long result = rawSyscall(SYS_setgroups, plan.groupCount, pointer(plan.groups));
  if (result < 0) fail(plan, Stage::CREDENTIALS, result);
  result = rawSyscall(SYS_setresgid, plan.gid, plan.gid, plan.gid);
  if (result < 0) fail(plan, Stage::CREDENTIALS, result);
  result = rawSyscall(SYS_setresuid, plan.uid, plan.uid, plan.uid);
  if (result < 0) fail(plan, Stage::CREDENTIALS, result);
}

BOTHY_CHILD void enterWorkingDirectory(ChildPlan& plan) {
  long result = rawSyscall(SYS_chdir, pointer(plan.workingDirectory));
  if (result >= 0) return;
  if (!plan.fallBackToRoot || rawSyscall(SYS_chdir, pointer("/")) < 0) {
    fail(plan, Stage::WORKING_DIRECTORY, result);
  }
  plan.workingDirectoryError = static_cast<int>(-result);
  if (plan.home != nullptr) *plan.home = HOME_IS_ROOT;
}

// Whether programs[index], which execve(2) has refused, is there; then what is to be known of it is in the plan.
BOTHY_CHILD bool inspect(ChildPlan& plan, int index) {
  auto path = pointer(plan.programs[index]);
  struct stat status;
  if (rawSyscall(SYS_newfstatat, AT_FDCWD, path, pointer(&status), 0) < 0) return false;
  plan.refused = index;
  plan.refusedMode = status.st_mode;
  plan.mayExecute = rawSyscall(SYS_faccessat, AT_FDCWD, path, X_OK) == 0;
  plan.wasRead = false;
  plan.headSize = 0;
  if (!S_ISREG(status.st_mode)) return true;
  long fd = rawSyscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return true;
  long size = rawSyscall(SYS_read, fd, pointer(plan.head), sizeof(plan.head));
  plan.wasRead = size >= 0;
  if (size > 0) plan.headSize = static_cast<size_t>(size);
  rawSyscall(SYS_close, fd);
  return true;
}

// As bash decides it: a binary is no script.  The file's first bytes are in the plan.
BOTHY_CHILD bool looksLikeText(const ChildPlan& plan) {
  if (plan.headSize > 0 && plan.head[0] == 0x7f) return false;  // ELF
  for (size_t i = 0; i < plan.headSize && plan.head[i] != '\n'; i++) {
    if (plan.head[i] == '\0') return false;
  }
  return true;
}

// As execvp(3), and so env(1), sudo(8) and every shell do it.
BOTHY_CHILD void executeAsScript(ChildPlan& plan, int index) {
  const char* name = plan.arguments[0];
  plan.arguments[-1] = SHELL;
  plan.arguments[0] = plan.programs[index];
  rawSyscall(SYS_execve, pointer(SHELL), pointer(plan.arguments - 1), pointer(plan.environment));
  plan.arguments[0] = name;
}

BOTHY_CHILD bool isElsewherePerhaps(long result) {
  return result == -ENOENT || result == -ENOTDIR || result == -EACCES || result == -ESTALE ||
         result == -ENODEV || result == -ETIMEDOUT;
}

// As execvp(3): a file that may not be executed, or whose interpreter is missing, does not end the search, but is what
// is reported.
[[noreturn]] BOTHY_CHILD void execute(ChildPlan& plan) {
  long worst = -ENOENT;
  for (int i = 0; plan.programs[i] != nullptr; i++) {
    long result = rawSyscall(SYS_execve, pointer(plan.programs[i]), pointer(plan.arguments),
                             pointer(plan.environment));
    if (isElsewherePerhaps(result)) {
      if (plan.refused >= 0) continue;
      if (inspect(plan, i) || result == -EACCES) worst = result;
      continue;
    }
    plan.refused = -1;
    bool wasRead = inspect(plan, i) && plan.wasRead;
    if (result == -ENOEXEC && wasRead && looksLikeText(plan)) executeAsScript(plan, i);
    fail(plan, Stage::EXECUTE, result);
  }
  fail(plan, Stage::EXECUTE, worst);
}

// What every program's start has in common.
BOTHY_CHILD void prepare(ChildPlan& plan) {
  resetSignals(plan);
  // All are at their defaults.  Now, so that one which comes while it waits does not come to the program.
  uint64_t noSignals = 0;
  rawSyscall(SYS_rt_sigprocmask, SIG_SETMASK, pointer(&noSignals), 0, 8);
  long result = rawSyscall(SYS_setsid);
  if (result < 0) fail(plan, Stage::SESSION, result);
  if (plan.cgroupNamespace >= 0) {
    result = rawSyscall(SYS_setns, plan.cgroupNamespace, CLONE_NEWCGROUP);
    if (result < 0) fail(plan, Stage::SESSION, result);
  }
  keepSocketAlone(plan);
  for (auto& limit : PROGRAM_LIMITS) setLimit(limit);
  rawSyscall(SYS_umask, 022);
  rawSyscall(SYS_prctl, PR_SET_NAME, pointer(WAITING_NAME));
}

[[noreturn]] BOTHY_CHILD void run(ChildPlan& plan) {
  // setsid() came first: only the leader of a session without a terminal may take one.
  long result;
  if (plan.takeTerminal && (result = rawSyscall(SYS_ioctl, 0, TIOCSCTTY, 0)) < 0) {
    fail(plan, Stage::TERMINAL, result);
  }
  if (plan.liftProcessLimit) setLimit(NO_PROCESS_LIMIT);
  if (plan.setCredentials) takeCredentials(plan);
  enterWorkingDirectory(plan);
  execute(plan);
}

}  // namespace

[[noreturn]] BOTHY_CHILD void runChild(void* argument) {
  auto& plan = *static_cast<ChildPlan*>(argument);
  prepare(plan);
  awaitFds(plan);
  run(plan);
}

}  // namespace bothy
