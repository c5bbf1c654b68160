#include "loop/user-kill.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kj/debug.h>

namespace bothy {
namespace {

// SAFETY: runs in the child of a process with threads: system calls alone, no allocation, no locks.
[[noreturn]] void killAndExit(uint32_t user, uint32_t sender) {
  // The raw calls: glibc's would try to change all threads.  Its effective user is no longer root's afterwards, which takes its
  // capabilities.
  if (syscall(SYS_setresuid, sender, user, sender) < 0) _exit(errno);
  // It is not one of those that it kills.
  if (syscall(SYS_kill, -1, SIGKILL) < 0 && errno != ESRCH) _exit(errno);
  _exit(0);
}

}  // namespace

void killAllOf(uint32_t user, uint32_t sender) {
  KJ_REQUIRE(user != 0 && sender != 0, "root's processes are not killed", user, sender);
  pid_t child;
  KJ_SYSCALL(child = fork());
  if (child == 0) killAndExit(user, sender);
  int status;
  KJ_SYSCALL(waitpid(child, &status, 0));
  KJ_REQUIRE(WIFEXITED(status), "the process that kills a machine's was killed", user, status);
  if (WEXITSTATUS(status) != 0) KJ_FAIL_SYSCALL("kill", WEXITSTATUS(status), user);
}

}  // namespace bothy
