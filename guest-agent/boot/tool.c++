#include "boot/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <exception>

#include "boot/failure.h"
#include "boot/stage-log.h"

namespace bothy {
namespace {

// A tool that was asked to end has so long to do it.
constexpr kj::Duration END_LIMIT = 2 * kj::SECONDS;

// Shows a directory of this root below another one for as long as it lives.
class ShownBelow {
public:
  ShownBelow(kj::StringPtr directory, kj::StringPtr root) : target(kj::str(root, directory)) {
    KJ_SYSCALL(::mount(directory.cStr(), target.cStr(), nullptr, MS_BIND, nullptr), target);
  }
  ~ShownBelow() { ::umount2(target.cStr(), MNT_DETACH); }
  KJ_DISALLOW_COPY_AND_MOVE(ShownBelow);

private:
  kj::String target;
};

// Has another root directory for as long as it lives.  posix_spawn(3) cannot change the root of a child,
// and this way nothing runs between fork and exec.
class RootChange {
public:
  explicit RootChange(kj::StringPtr root) {
    int fd;
    KJ_SYSCALL(fd = ::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    old = kj::AutoCloseFd(fd);
    KJ_SYSCALL(::chroot(root.cStr()), root);
    KJ_SYSCALL(::chdir("/"));
  }
  ~RootChange() {
    // The fd is outside of the new root, which is how one leaves it.  Neither call can fail.
    if (::fchdir(old.get()) < 0 || ::chroot(".") < 0) {
      std::terminate();
    }
  }
  KJ_DISALLOW_COPY_AND_MOVE(RootChange);

private:
  kj::AutoCloseFd old;
};

// The child has no signal blocked, whatever PID 1 blocks.
class FreshSignals {
public:
  FreshSignals() {
    sigset_t none;
    sigemptyset(&none);
    check(::posix_spawnattr_init(&attributes));
    check(::posix_spawnattr_setsigmask(&attributes, &none));
    check(::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK));
  }
  ~FreshSignals() { ::posix_spawnattr_destroy(&attributes); }
  KJ_DISALLOW_COPY_AND_MOVE(FreshSignals);

  posix_spawnattr_t attributes;

private:
  static void check(int error) { KJ_REQUIRE(error == 0, "posix_spawnattr", strerror(error)); }
};

pid_t startTool(kj::StringPtr root, kj::ArrayPtr<const kj::StringPtr> argv) {
  auto words = kj::heapArrayBuilder<char*>(argv.size() + 1);
  for (auto word : argv) {
    words.add(const_cast<char*>(word.cStr()));
  }
  words.add(nullptr);
  char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  char* environment[] = {path, nullptr};
  FreshSignals signals;
  pid_t pid;
  RootChange change(root);
  int error =
      ::posix_spawn(&pid, words[0], nullptr, &signals.attributes, words.begin(), environment);
  if (error != 0) {
    failStage(kj::str(argv[0], " of the image cannot be run: ", strerror(error)));
  }
  return pid;
}

// The wait status of `pid`; none if it has not ended within `limit`.
kj::Maybe<int> waitFor(pid_t pid, kj::Duration limit) {
  sigset_t childExit;
  sigemptyset(&childExit);
  sigaddset(&childExit, SIGCHLD);
  auto deadline = kernelClock() + limit;
  for (;;) {
    int status;
    auto ended = ::waitpid(pid, &status, WNOHANG);
    KJ_REQUIRE(ended >= 0, "waitpid()", strerror(errno));
    if (ended == pid) {
      return status;
    }
    auto left = deadline - kernelClock();
    if (left <= 0 * kj::SECONDS) {
      return nullptr;
    }
    struct timespec pause = {left / kj::SECONDS, left % kj::SECONDS / kj::NANOSECONDS};
    // Blocked, so one that has come already counts.  Its news is the Reaper's as well, which looks by
    // itself when it begins.
    ::sigtimedwait(&childExit, nullptr, &pause);
  }
}

}  // namespace

int runTool(kj::StringPtr root, kj::ArrayPtr<const kj::StringPtr> argv, kj::Duration limit) {
  ShownBelow devices("/dev", root);
  ShownBelow processes("/proc", root);
  auto pid = startTool(root, argv);
  auto ended = waitFor(pid, limit);
  if (ended == nullptr) {
    ::kill(pid, SIGTERM);
    if (waitFor(pid, END_LIMIT) == nullptr) {
      ::kill(pid, SIGKILL);
      waitFor(pid, END_LIMIT);
    }
    failStage(kj::str(argv[0], " was ended after ", limit / kj::SECONDS, " s"));
  }
  auto status = KJ_ASSERT_NONNULL(ended);
  if (WIFSIGNALED(status)) {
    failStage(kj::str(argv[0], " was killed by signal ", WTERMSIG(status)));
  }
  return WEXITSTATUS(status);
}

}  // namespace bothy
