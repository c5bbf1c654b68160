#include "bench/host-program-beside.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bothy {

HostProgramBeside::HostProgramBeside(kj::ArrayPtr<const kj::StringPtr> argv)
    : began(kj::systemPreciseMonotonicClock().now()), pid(0) {
  auto words = kj::heapArrayBuilder<char*>(argv.size() + 1);
  for (auto& word : argv) words.add(const_cast<char*>(word.cStr()));
  words.add(nullptr);
  // What it has started and not waited for is this process's to wait for when it ends, and counts.
  KJ_SYSCALL(prctl(PR_SET_CHILD_SUBREAPER, 1));
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  KJ_DEFER({
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
  });
  for (int fd : {STDIN_FILENO, STDOUT_FILENO}) {
    posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
  }
  // A group of its own, to be ended with all that it has started.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  const int error = posix_spawn(&pid, words[0], &files, &attributes, words.begin(), environ);
  KJ_REQUIRE(error == 0, argv[0], strerror(error));
}

HostProgramBeside::~HostProgramBeside() noexcept {
  end();
}

double HostProgramBeside::end() {
  if (pid == 0) return 0;
  const auto ran = kj::systemPreciseMonotonicClock().now() - began;
  kill(-pid, SIGKILL);
  auto secondsOf = [](const timeval& time) { return time.tv_sec + time.tv_usec / 1e6; };
  double seconds = 0;
  for (;;) {
    rusage usage = {};
    if (wait4(-pid, nullptr, 0, &usage) >= 0) {
      seconds += secondsOf(usage.ru_utime) + secondsOf(usage.ru_stime);
    } else if (errno != EINTR) {
      break;
    }
  }
  pid = 0;
  return seconds / (ran / kj::NANOSECONDS / 1e9);
}

}  // namespace bothy
