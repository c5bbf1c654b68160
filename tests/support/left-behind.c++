#include "support/left-behind.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bothy {
namespace {

// The first line that it reads is the directory: on its command line, it would be taken for one of those.  The shell that is started ends at once: who kills the test's children misses its own child.
constexpr char SCRIPT[] = R"(
clean() {
  read -r directory
  read -r word && exit
  for pass in 1 2 3; do
    for process in /proc/[0-9]*; do
      tr '\0' '\n' < "$process/cmdline" 2> /dev/null | grep -q -F -e "$directory/" &&
        kill -KILL "${process#/proc/}"
    done
    sleep 0.2
  done
  awk '{ print $5 }' /proc/self/mountinfo | grep -F -e "$directory/" | sort -r | xargs -r umount -l
  rm -rf --one-file-system "$directory"
}
clean <&3 > /dev/null 2>&1 &
)";

}  // namespace

LeftBehind::LeftBehind(kj::StringPtr directory) {
  int ends[2];
  KJ_SYSCALL(pipe2(ends, O_CLOEXEC));
  kj::AutoCloseFd listener(ends[0]);
  alive = kj::AutoCloseFd(ends[1]);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  KJ_DEFER(posix_spawn_file_actions_destroy(&actions));
  posix_spawn_file_actions_adddup2(&actions, listener, 3);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  KJ_DEFER(posix_spawnattr_destroy(&attributes));
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  const char* const argv[] = {"/bin/sh", "-c", SCRIPT, nullptr};
  pid_t shell;
  int error =
      posix_spawn(&shell, argv[0], &actions, &attributes, const_cast<char* const*>(argv), environ);
  if (error != 0) KJ_FAIL_SYSCALL("posix_spawn", error, argv[0]);
  int status;
  KJ_SYSCALL(waitpid(shell, &status, 0));
  KJ_REQUIRE(status == 0, "nobody would clean up after this test");
  auto line = kj::str(directory, '\n');
  KJ_SYSCALL(write(alive, line.begin(), line.size()));
}

LeftBehind::~LeftBehind() noexcept(false) {
  KJ_SYSCALL(write(alive, "done\n", 5));
}

}  // namespace bothy
