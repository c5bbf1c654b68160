#include "loop/child-process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <kj/debug.h>

#include "loop/empty-network.h"

namespace bothy {
namespace {

// What the child could not do, as it tells its parent.
enum class Step : uint8_t { EXECUTE, LEAVE_NETWORK, LIMIT, FILTER };
struct StartFailure {
  int error;
  Step step;
};

struct ResourceLimit {
  __rlimit_resource_t resource;
  struct rlimit value;
};

// All that the child needs between fork and exec, made before the fork.
struct Plan {
  const char* program;
  char* const* arguments;
  char* const* environment;
  bool changesOwner;
  ChildSpec::Owner owner;
  int input;
  int output;
  int failures;  // gets a StartFailure if the program does not start
  bool detached;
  pid_t parent;
  bool isConfined;
  ResourceLimit limits[4];
  sock_fprog filter;  // none if it has no length
};

// SAFETY: runs in the child of a process with threads: system calls alone, no allocation, no locks.
[[noreturn]] void become(const Plan& plan) {
  // Where `failures` is from the moment when the other descriptors are closed.
  constexpr int KEPT_FAILURES = 3;
  auto fail = [](int fd, Step step) {
    StartFailure failure{errno, step};
    if (write(fd, &failure, sizeof(failure)) < 0) _exit(126);
    _exit(127);
  };
  auto failEarly = [&]() { fail(plan.failures, Step::EXECUTE); };
  auto failLate = [&]() { fail(KEPT_FAILURES, Step::EXECUTE); };

  struct sigaction standard;
  memset(&standard, 0, sizeof(standard));
  standard.sa_handler = SIG_DFL;
  for (int signum = 1; signum < NSIG; signum++) sigaction(signum, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);

  if (chdir("/") < 0) failEarly();
  if (plan.detached) {
    if (setsid() < 0) failEarly();
  }

  // The descriptors are all above 3 (see spawn), so none overwrites another.
  if (dup2(plan.input, 0) < 0 || dup2(plan.output, 1) < 0 || dup2(plan.output, 2) < 0) failEarly();
  if (dup3(plan.failures, KEPT_FAILURES, O_CLOEXEC) < 0) failEarly();
  if (syscall(SYS_close_range, 4u, ~0u, 0u) < 0) failLate();

  if (plan.isConfined) {
    // While it has root's rights.
    if (unshare(CLONE_NEWNET) < 0) fail(KEPT_FAILURES, Step::LEAVE_NETWORK);
    for (auto& limit : plan.limits) {
      if (setrlimit(limit.resource, &limit.value) < 0) fail(KEPT_FAILURES, Step::LIMIT);
    }
  }
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
  // The last, as the filter need not let pass what comes before.
  if (plan.filter.len > 0) {
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &plan.filter) < 0) {
      fail(KEPT_FAILURES, Step::FILTER);
    }
  }
  execve(plan.program, plan.arguments, plan.environment);
  failLate();
  _exit(127);
}

void failOf(const StartFailure& failure, kj::StringPtr program) {
  switch (failure.step) {
    case Step::EXECUTE:
      KJ_FAIL_SYSCALL("execve", failure.error, program);
    case Step::LEAVE_NETWORK:
      failOfEmptyNetwork(failure.error, program);
    case Step::LIMIT:
      KJ_FAIL_SYSCALL("setrlimit", failure.error, program);
    case Step::FILTER:
      KJ_FAIL_SYSCALL("prctl(PR_SET_SECCOMP)", failure.error, program);
  }
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
            getpid(),
            false,
            {},
            {0, nullptr}};
  KJ_IF_MAYBE (confinement, spec.confinement) {
    auto same = [](rlim_t value) { return rlimit{value, value}; };
    plan.isConfined = true;
    plan.limits[0] = {RLIMIT_NPROC, same(confinement->processes)};
    plan.limits[1] = {RLIMIT_NOFILE, same(confinement->files)};
    plan.limits[2] = {RLIMIT_FSIZE, same(0)};
    plan.limits[3] = {RLIMIT_CORE, same(0)};
    auto instructions = reinterpret_cast<const sock_filter*>(confinement->filter.begin());
    plan.filter = {static_cast<unsigned short>(confinement->filter.size() / sizeof(sock_filter)),
                   const_cast<sock_filter*>(instructions)};
  }

  pid_t pid;
  KJ_SYSCALL(pid = fork());
  if (pid == 0) become(plan);
  failureWriter = nullptr;

  auto status = reaper.onExit(pid);
  StartFailure failure;
  ssize_t size;
  KJ_SYSCALL(size = read(failureReader, &failure, sizeof(failure)));
  if (size == sizeof(failure)) failOf(failure, spec.program);
  KJ_REQUIRE(size == 0, "a program did not say why it did not start", spec.program);

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
