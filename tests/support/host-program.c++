#include "support/host-program.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <kj/vector.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace bothy {

namespace {

kj::AutoCloseFd memoryFile(const char* name) {
  int fd;
  KJ_SYSCALL(fd = memfd_create(name, MFD_CLOEXEC));
  return kj::AutoCloseFd(fd);
}

kj::String contents(int fd) {
  KJ_SYSCALL(lseek(fd, 0, SEEK_SET));
  return kj::heapString(kj::FdInputStream(fd).readAllBytes().asChars());
}

// By the state of each, "PID (NAME) STATE ...": proc_pid_stat(5).  Stopped, traced and dead ones run no more.
bool isAnyThreadRunning(pid_t pid) {
  std::error_code error;
  std::filesystem::directory_iterator threads(kj::str("/proc/", pid, "/task").cStr(), error);
  KJ_REQUIRE(!error, "the program has ended", pid);
  for (auto& thread : threads) {
    std::ifstream file(thread.path() / "stat");
    std::string line;
    std::getline(file, line);
    auto name = line.rfind(") ");
    if (name != std::string::npos && strchr("TtZX", line[name + 2]) == nullptr) return true;
  }
  return false;
}

}  // namespace

FinishedProgram runProgram(kj::ArrayPtr<const kj::StringPtr> argv) {
  auto out = memoryFile("stdout");
  auto err = memoryFile("stderr");
  // timeout(1) is what limits it; --foreground leaves it in our process group.
  auto limit = kj::str(PROGRAM_LIMIT_SECONDS);
  kj::Vector<char*> arguments;
  for (auto word : {"timeout", "--foreground", "--signal=KILL", limit.cStr()}) {
    arguments.add(const_cast<char*>(word));
  }
  for (auto word : argv) arguments.add(const_cast<char*>(word.cStr()));
  arguments.add(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  KJ_DEFER(posix_spawn_file_actions_destroy(&actions));
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, 1);
  posix_spawn_file_actions_adddup2(&actions, err, 2);
  pid_t pid;
  // An event loop of this process's ignores it, which programs do not expect.
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  KJ_DEFER(posix_spawnattr_destroy(&attributes));
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  int error = posix_spawnp(&pid, "timeout", &actions, &attributes, arguments.begin(), environ);
  if (error != 0) KJ_FAIL_SYSCALL("posix_spawnp", error, argv[0]);
  int status;
  KJ_SYSCALL(waitpid(pid, &status, 0));
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), contents(out),
          contents(err)};
}

kj::String hostOutput(kj::ArrayPtr<const kj::StringPtr> argv) {
  auto finished = runProgram(argv);
  KJ_REQUIRE(finished.status == 0, argv, finished.status, finished.out, finished.err);
  return kj::mv(finished.out);
}

void stopAndWait(pid_t pid) {
  KJ_SYSCALL(kill(pid, SIGSTOP));
  // It is no child of this process, which waitid(2) could tell.
  constexpr useconds_t INTERVAL_MICROS = 1000;
  constexpr uint32_t ATTEMPTS = STOP_LIMIT_SECONDS * (1000 * 1000 / INTERVAL_MICROS);
  for (uint32_t attempt = 0; isAnyThreadRunning(pid); attempt++) {
    KJ_REQUIRE(attempt < ATTEMPTS, "the program does not stop", pid);
    usleep(INTERVAL_MICROS);
  }
}

}  // namespace bothy
