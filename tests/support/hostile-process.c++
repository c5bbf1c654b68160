#include "support/hostile-process.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bothy {

HostileProcess::HostileProcess(kj::Own<kj::AsyncIoStream> stream, AttackPlan plan) {
  // Above the number that the child gets, so that it is not the same.
  int high;
  KJ_SYSCALL(high = ::fcntl(KJ_REQUIRE_NONNULL(stream->getFd()), F_DUPFD_CLOEXEC, 10));
  kj::AutoCloseFd socket(high);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  KJ_DEFER(::posix_spawn_file_actions_destroy(&actions));
  ::posix_spawn_file_actions_adddup2(&actions, socket.get(), 3);
  auto words = plan.words();
  char program[] = BOTHY_HOSTILE_PEER;
  char* arguments[] = {program, words[0].begin(), words[1].begin(), words[2].begin(), nullptr};
  int error = ::posix_spawn(&child, program, &actions, nullptr, arguments, environ);
  KJ_REQUIRE(error == 0, "cannot start the hostile peer", program, strerror(error));
}

HostileProcess::~HostileProcess() noexcept(false) {
  if (ended) return;
  ::kill(child, SIGKILL);
  int status;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
}

bool HostileProcess::hasEnded() {
  int status;
  if (!ended && ::waitpid(child, &status, WNOHANG) == child) {
    ended = true;
    KJ_REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the hostile peer failed", status);
  }
  return ended;
}

void HostileProcess::pause() {
  if (!ended) ::kill(child, SIGSTOP);
}

void HostileProcess::goOn() {
  if (!ended) ::kill(child, SIGCONT);
}

}  // namespace bothy
