#include "support/background-client.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bothy {
namespace {

constexpr useconds_t POLL_MICROS = 500;

kj::AutoCloseFd outputFile(BackgroundClient::Output output) {
  int fd;
  if (output == BackgroundClient::Output::KEPT) {
    KJ_SYSCALL(fd = memfd_create("output", MFD_CLOEXEC));
  } else {
    KJ_SYSCALL(fd = open("/dev/null", O_RDWR | O_CLOEXEC));
  }
  return kj::AutoCloseFd(fd);
}

// Its writer's position stays where it is.
kj::String contents(int fd) {
  int own;
  KJ_SYSCALL(own = open(kj::str("/proc/self/fd/", fd).cStr(), O_RDONLY | O_CLOEXEC));
  return kj::heapString(kj::FdInputStream(kj::AutoCloseFd(own)).readAllBytes().asChars());
}

}  // namespace

BackgroundClient::BackgroundClient(SupervisedHost& host,
                                   kj::ArrayPtr<const kj::StringPtr> arguments, Output output)
    : out(outputFile(output)), err(outputFile(output)) {
  auto socket = host.socket();
  kj::Vector<char*> argv;
  for (auto word : {BOTHY_PROGRAM ""_kj, "--socket"_kj, kj::StringPtr(socket)}) {
    argv.add(const_cast<char*>(word.cStr()));
  }
  for (auto word : arguments) argv.add(const_cast<char*>(word.cStr()));
  argv.add(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  KJ_DEFER(posix_spawn_file_actions_destroy(&actions));
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  // An event loop of this process's ignores it, which programs do not expect.
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  KJ_DEFER(posix_spawnattr_destroy(&attributes));
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  int error = posix_spawn(&pid, argv[0], &actions, &attributes, argv.begin(), environ);
  if (error != 0) KJ_FAIL_SYSCALL("posix_spawn", error, argv[0]);
  int pidfd;
  KJ_SYSCALL(pidfd = syscall(SYS_pidfd_open, pid, 0));
  process = kj::AutoCloseFd(pidfd);
}

bool BackgroundClient::awaitEnd(int millis) {
  struct pollfd ended = {process, POLLIN, 0};
  int ready;
  KJ_SYSCALL(ready = poll(&ended, 1, millis));
  return ready > 0;
}

bool BackgroundClient::isRunning() {
  return pid != -1 && !awaitEnd(0);
}

FinishedProgram BackgroundClient::finish() {
  constexpr int MILLIS = 1000;
  KJ_REQUIRE(awaitEnd(PROGRAM_LIMIT_SECONDS * MILLIS), "the client does not end", errors());
  int status;
  KJ_SYSCALL(waitpid(pid, &status, 0));
  pid = -1;
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), contents(out),
          contents(err)};
}

void BackgroundClient::kill() {
  if (pid == -1) return;
  ::kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  pid = -1;
}

void BackgroundClient::resume() {
  KJ_SYSCALL(::kill(pid, SIGCONT));
}

uint64_t BackgroundClient::transferred() {
  auto text = hostOutput({"/bin/cat"_kj, kj::str("/proc/", pid, "/io")});
  unsigned long long read = 0, written = 0;
  KJ_REQUIRE(sscanf(text.cStr(), "rchar: %llu\nwchar: %llu", &read, &written) == 2, text);
  return kj::max(read, written);
}

void BackgroundClient::awaitTransfer(uint64_t bytes) {
  while (transferred() < bytes) {
    KJ_REQUIRE(isRunning(), "the client has ended", errors());
    usleep(POLL_MICROS);
  }
}

kj::String BackgroundClient::errors() {
  return contents(err);
}

}  // namespace bothy
