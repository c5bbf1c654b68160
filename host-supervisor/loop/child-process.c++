#include "loop/child-process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <kj/debug.h>

namespace bothy {
namespace {

// All that the child needs between fork and exec, made before the fork.
struct Plan {
  const char* program;
  char* const* arguments;
  char* const* environment;
  bool changesOwner;
  ChildSpec::Owner owner;
  int input;
  int output;
  int failures;  // gets errno if the program does not start
  bool detached;
  pid_t parent;
};

// SAFETY: runs in the child of a process with threads: system calls alone, no allocation, no locks.
[[noreturn]] void become(const Plan& plan) {
  auto fail = [&]() {
    int error = errno;
    if (write(plan.failures, &error, sizeof(error)) < 0) _exit(126);
    _exit(127);
  };

  struct sigaction standard;
  memset(&standard, 0, sizeof(standard));
  standard.sa_handler = SIG_DFL;
  for (int signum = 1; signum < NSIG; signum++) sigaction(signum, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);

  if (chdir("/") < 0) fail();
  if (plan.detached) {
    if (setsid() < 0) fail();
  }

  // The descriptors are all above 3 (see spawn), so none overwrites another.
  if (dup2(plan.input, 0) < 0 || dup2(plan.output, 1) < 0 || dup2(plan.output, 2) < 0) fail();
  if (dup3(plan.failures, 3, O_CLOEXEC) < 0) fail();
  if (syscall(SYS_close_range, 4u, ~0u, 0u) < 0) fail();

  auto failLate = [&]() {
    int error = errno;
    if (write(3, &error, sizeof(error)) < 0) _exit(126);
    _exit(127);
  };
  if (plan.changesOwner) {
    // The raw calls: glibc's would try to change all threads.
    if (syscall(SYS_setgroups, 0, nullptr) < 0) failLate();
    if (syscall(SYS_setresgid, plan.owner.group, plan.owner.group, plan.owner.group) < 0)
      failLate();
    if (syscall(SYS_setresuid, plan.owner.user, plan.owner.user, plan.owner.user) < 0) failLate();
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) failLate();
  if (!plan.detached) {
    // After the change of user, which clears it.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) failLate();
    if (getppid() != plan.parent) _exit(127);
  }
  execve(plan.program, plan.arguments, plan.environment);
  failLate();
  _exit(127);
}

kj::AutoCloseFd above3(int fd) {
  int copy;
  KJ_SYSCALL(copy = fcntl(fd, F_DUPFD_CLOEXEC, 4));
  return kj::AutoCloseFd(copy);
}

}  // namespace

kj::Own<ChildProcess> ChildProcess::spawn(kj::UnixEventPort& port, Subreaper& reaper,
                                          ChildSpec spec) {
  KJ_REQUIRE(spec.program.startsWith("/"), spec.program);

  auto arguments = kj::heapArray<char*>(spec.arguments.size() + 2);
  arguments[0] = const_cast<char*>(spec.program.cStr());
  for (auto i : kj::indices(spec.arguments)) arguments[i + 1] = spec.arguments[i].begin();
  arguments[spec.arguments.size() + 1] = nullptr;
  char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  char language[] = "LANG=C";
  char* environment[] = {path, language, nullptr};

  int nullFd;
  KJ_SYSCALL(nullFd = open("/dev/null", O_RDWR | O_CLOEXEC));
  kj::AutoCloseFd nothing(nullFd);
  auto input = above3(nothing);
  auto output = above3(spec.output.orDefault(nothing.get()));
  int ends[2];
  KJ_SYSCALL(pipe2(ends, O_CLOEXEC));
  kj::AutoCloseFd failureReader(ends[0]);
  auto failureWriter = above3(kj::AutoCloseFd(ends[1]));

  Plan plan{spec.program.cStr(),
            arguments.begin(),
            environment,
            spec.owner != nullptr,
            spec.owner.orDefault(ChildSpec::Owner{0, 0}),
            input,
            output,
            failureWriter,
            spec.lifetime == ChildSpec::Lifetime::DETACHED,
            getpid()};

  pid_t pid;
  KJ_SYSCALL(pid = fork());
  if (pid == 0) become(plan);
  failureWriter = nullptr;

  auto status = reaper.onExit(pid);
  int error;
  ssize_t size;
  KJ_SYSCALL(size = read(failureReader, &error, sizeof(error)));
  if (size != 0) KJ_FAIL_SYSCALL("execve", error, spec.program);

  auto handle = KJ_ASSERT_NONNULL(ProcessHandle::open(port, pid), "a child has a pid until reaped");
  return kj::heap<ChildProcess>(kj::mv(handle), kj::mv(status), spec.lifetime);
}

ChildProcess::ChildProcess(kj::Own<ProcessHandle> handle, kj::Promise<int> status,
                           ChildSpec::Lifetime lifetime)
    : handle(kj::mv(handle)), status(status.fork()), lifetime(lifetime) {}

ChildProcess::~ChildProcess() noexcept(false) {
  if (lifetime == ChildSpec::Lifetime::OWNED) handle->signal(SIGKILL);
}

}  // namespace bothy
