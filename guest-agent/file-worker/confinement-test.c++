#include "file-worker/confinement.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <kj/debug.h>
#include <linux/sched.h>
#include <linux/vm_sockets.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "file-worker/file-worker-test-world.h"
#include "process/text-file.h"

namespace bothy {
namespace {

// Of a process of this one's that runs `action`: 0, or errno of what failed, and -1 where it was ended.
int errorOf(kj::Function<long()> action) {
  pid_t child;
  KJ_SYSCALL(child = fork());
  if (child == 0) {
    long result = 0;
    if (kj::runCatchingExceptions([&]() { result = action(); }) != nullptr) abort();
    _exit(result >= 0 ? 0 : errno);
  }
  int status;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// The same as a file worker.
int errorOfWorker(kj::Function<long()> action) {
  return errorOf([&]() {
    confineFileWorker();
    return action();
  });
}

// The same as a program of the user `uid`.
int errorOfUser(uid_t uid, kj::Function<long()> action) {
  return errorOf([&]() {
    // The group, too, or that alone would keep him out.
    const bool isUser =
        geteuid() != 0 || (setgroups(0, nullptr) == 0 && setresgid(uid, uid, uid) == 0 &&
                           setresuid(uid, uid, uid) == 0);
    if (!isUser) abort();
    return action();
  });
}

TEST_CASE("S42 a file worker does nothing but serve files") {
  if (__has_feature(address_sanitizer)) SKIP("the sanitizer makes calls of its own");
  CHECK(errorOfWorker([]() { return socket(AF_INET, SOCK_STREAM, 0); }) == EPERM);
  CHECK(errorOfWorker([]() { return socket(AF_UNIX, SOCK_STREAM, 0); }) == EPERM);
  CHECK(errorOfWorker([]() { return ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); }) == EPERM);
  CHECK(errorOfWorker([]() { return mount("none", "/tmp", "tmpfs", 0, nullptr); }) == EPERM);
  CHECK(errorOfWorker([]() { return unshare(CLONE_NEWUSER); }) == EPERM);
  CHECK(errorOfWorker([]() { return syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0); }) ==
        EPERM);
  CHECK(errorOfWorker([]() {
          clone_args arguments = {};
          arguments.flags = CLONE_NEWUSER;
          arguments.exit_signal = SIGCHLD;
          return syscall(SYS_clone3, &arguments, sizeof(arguments));
        }) == ENOSYS);
  CHECK(errorOfWorker([]() { return syscall(SYS_io_uring_setup, 1, nullptr); }) == EPERM);
  CHECK(errorOfWorker([]() { return mknod("/tmp/bothy-device", S_IFCHR | 0600, 0); }) == EPERM);
  // Nor does it gain rights by what it runs.
  auto runsAnother = [](const char* program) {
    return errorOfWorker([program]() {
      const char* words[] = {program, nullptr};
      return execv(program, const_cast<char* const*>(words));
    });
  };
  const long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, 1);
  if (abi >= 2) CHECK(runsAnother("/bin/true") == EACCES);
  // Files it serves.
  CHECK(errorOfWorker([]() { return open("/etc/passwd", O_RDONLY); }) == 0);
}

// Of what is set to one end of a socket pair.
int errorOfOption(int level, int option) {
  return errorOfWorker([level, option]() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0) return -1;
    // As large as any of the options wants.
    const uint64_t value[2] = {1, 1};
    return setsockopt(ends[0], level, option, value, sizeof(value));
  });
}

TEST_CASE("S42 a file worker sets no option of a lane by which whoever closes it would wait") {
  if (__has_feature(address_sanitizer)) SKIP("the sanitizer makes calls of its own");
  CHECK(errorOfOption(SOL_SOCKET, SO_LINGER) == EPERM);
  CHECK(errorOfOption(SOL_SOCKET, SO_RCVBUF) == EPERM);
  CHECK(errorOfOption(SOL_SOCKET, SO_SNDTIMEO) == EPERM);
  CHECK(errorOfOption(AF_VSOCK, SO_VM_SOCKETS_BUFFER_MAX_SIZE) == EPERM);
  // What serving a lane needs; a socket of another kind does not know the second.
  CHECK(errorOfOption(SOL_SOCKET, SO_RCVLOWAT) == 0);
  CHECK(errorOfOption(AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE) != EPERM);
}

// What mmap(2) of so much memory says.
long takeMemory(size_t bytes) {
  auto memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? -1 : 0;
}

TEST_CASE("S42 a file worker takes so much memory, and what packs and unpacks a little more") {
  if (__has_feature(address_sanitizer)) SKIP("the sanitizer's own takes terabytes of addresses");
  constexpr size_t MIB = 1024 * 1024;
  CHECK(errorOfWorker([]() { return takeMemory(64 * MIB); }) == 0);
  CHECK(errorOfWorker([]() { return takeMemory(128 * MIB); }) == ENOMEM);
  auto errorOfArchive = [](size_t bytes) {
    return errorOfWorker([bytes]() {
      confineArchiveWorker();
      return takeMemory(bytes);
    });
  };
  CHECK(errorOfArchive(192 * MIB) == 0);
  CHECK(errorOfArchive(256 * MIB) == ENOMEM);
}

TEST_CASE("S42 a file worker has so many open files, and leaves no core file") {
  FileWorkerWorld w;
  auto lane = w.open();
  auto limits = readTextFile(kj::str("/proc/", w.workerOf(*lane), "/limits"));
  constexpr unsigned long MOST_FILES = 65'536;
  struct Limit {
    unsigned long soft, hard;
  };
  // It fails where one is "unlimited".
  auto limitOf = [&](const char* name) {
    Limit result = {};
    auto line = strstr(limits.cStr(), name);
    REQUIRE(line != nullptr);
    REQUIRE(sscanf(line + strlen(name), "%lu %lu", &result.soft, &result.hard) == 2);
    return result;
  };
  const auto files = limitOf("Max open files");
  CHECK(files.soft == files.hard);
  CHECK(files.hard <= MOST_FILES);
  CHECK(limitOf("Max core file size").hard == 0);
}

TEST_CASE("S42 what packs and unpacks starts nothing and speaks to nobody") {
  if (__has_feature(address_sanitizer)) SKIP("the sanitizer makes calls of its own");
  auto errorOfArchive = [](kj::Function<long()> action) {
    return errorOfWorker([&]() {
      confineArchiveWorker();
      return action();
    });
  };
  CHECK(errorOfArchive([]() {
          int ends[2];
          return socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
        }) == EPERM);
  CHECK(errorOfArchive([]() { return kill(getpid(), SIGTERM); }) == EPERM);
  CHECK(errorOfArchive([]() { return execl("/proc/self/exe", "x", nullptr); }) == EPERM);
  CHECK(errorOfArchive([]() { return open("/etc/passwd", O_RDONLY); }) == 0);
}

TEST_CASE("S42 a user's programs neither trace nor read a file worker of theirs") {
  FileWorkerWorld w;
  auto lane = w.open();
  const auto pid = w.workerOf(*lane);
  for (auto name : {"mem", "environ", "maps", "fd/0", "auxv"}) {
    INFO(name);
    auto path = kj::str("/proc/", pid, '/', name);
    const int error = errorOfUser(w.uid, [&]() { return open(path.cStr(), O_RDONLY); });
    // Root's own tests have his rights.
    if (w.uid != 0) CHECK((error == EACCES || error == EPERM));
  }
  CHECK(errorOfUser(w.uid, [&]() { return ptrace(PTRACE_SEIZE, pid, nullptr, nullptr); }) == EPERM);
  auto status = readTextFile(kj::str("/proc/", pid, "/status"));
  CHECK(strstr(status.cStr(), "NoNewPrivs:\t1\n") != nullptr);
  if (!__has_feature(address_sanitizer)) {
    CHECK(strstr(status.cStr(), "Seccomp:\t2\n") != nullptr);
  }
  CHECK(w.answers(*lane));
}

}  // namespace
}  // namespace bothy
