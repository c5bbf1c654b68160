#include "boot/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "boot/failure.h"

namespace bothy {
namespace {

// Shows /dev below another root for as long as it lives.
class DevicesBelow {
public:
  explicit DevicesBelow(kj::StringPtr root) : target(kj::str(root, "/dev")) {
    KJ_SYSCALL(::mount("/dev", target.cStr(), nullptr, MS_BIND, nullptr), target);
  }
  ~DevicesBelow() { ::umount2(target.cStr(), MNT_DETACH); }
  KJ_DISALLOW_COPY_AND_MOVE(DevicesBelow);

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
      ::abort();
    }
  }
  KJ_DISALLOW_COPY_AND_MOVE(RootChange);

private:
  kj::AutoCloseFd old;
};

}  // namespace

void runTool(kj::StringPtr root, kj::ArrayPtr<const kj::StringPtr> argv) {
  DevicesBelow devices(root);
  auto words = kj::heapArrayBuilder<char*>(argv.size() + 1);
  for (auto word : argv) {
    words.add(const_cast<char*>(word.cStr()));
  }
  words.add(nullptr);
  char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  char* environment[] = {path, nullptr};

  pid_t pid;
  {
    RootChange change(root);
    int error = ::posix_spawn(&pid, words[0], nullptr, nullptr, words.begin(), environment);
    if (error != 0) {
      failStage(kj::str(argv[0], " of the image cannot be run: ", strerror(error)));
    }
  }
  int status;
  for (;;) {
    if (::waitpid(pid, &status, 0) == pid) {
      break;
    }
    KJ_REQUIRE(errno == EINTR, "cannot wait for", argv[0], strerror(errno));
  }
  if (WIFSIGNALED(status)) {
    failStage(kj::str(argv[0], " was killed by signal ", WTERMSIG(status)));
  }
  if (WEXITSTATUS(status) != 0) {
    failStage(kj::str(argv[0], " failed with exit code ", WEXITSTATUS(status)));
  }
}

}  // namespace bothy
