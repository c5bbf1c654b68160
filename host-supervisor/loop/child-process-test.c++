#include "loop/child-process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/mutex.h>
#include <kj/thread.h>
#include <catch2/catch_test_macros.hpp>

#include "loop/signals.h"
#include "loop/testing/without-admin.h"
#include "support/few-files.h"

namespace bothy {
namespace {

struct Fixture {
  Fixture() : io((captureSignals(), kj::setupAsyncIo())), reaper(io.unixEventPort) {}

  kj::Own<ChildProcess> shell(kj::StringPtr script, ChildSpec::Lifetime lifetime) {
    return shell(script, lifetime, nullptr);
  }
  kj::Own<ChildProcess> shell(kj::StringPtr script, ChildSpec::Lifetime lifetime,
                              kj::Maybe<int> output) {
    ChildSpec spec{"/bin/sh", kj::arr(kj::str("-c"), kj::str(script)), nullptr, output, lifetime};
    return ChildProcess::spawn(io.unixEventPort, reaper, kj::mv(spec));
  }

  kj::AsyncIoContext io;
  Subreaper reaper;
};

TEST_CASE("a child's exit code and signal are told") {
  Fixture f;
  auto quits = f.shell("exit 3", ChildSpec::Lifetime::OWNED);
  int status = quits->onExit().wait(f.io.waitScope);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 3);
  auto killed = f.shell("sleep 1000", ChildSpec::Lifetime::OWNED);
  killed->process().signal(SIGTERM);
  status = killed->onExit().wait(f.io.waitScope);
  CHECK(WIFSIGNALED(status));
  killed->process().onExit().wait(f.io.waitScope);
  killed->process().signal(SIGTERM);
}

TEST_CASE("a program that does not exist is a failure of spawn") {
  Fixture f;
  ChildSpec spec{"/nonexistent", nullptr, nullptr, nullptr, ChildSpec::Lifetime::OWNED};
  CHECK_THROWS(ChildProcess::spawn(f.io.unixEventPort, f.reaper, kj::mv(spec)));
}

TEST_CASE("a child has three descriptors and two variables") {
  Fixture f;
  int leaked = dup(0);
  KJ_DEFER(close(leaked));
  int ends[2];
  KJ_SYSCALL(::pipe(ends));
  kj::AutoCloseFd reader(ends[0]);
  {
    kj::AutoCloseFd writer(ends[1]);
    auto child = f.shell("ls /proc/$$/fd; env -u PWD -u SHLVL -u _ -u OLDPWD",
                         ChildSpec::Lifetime::OWNED, writer.get());
    child->onExit().wait(f.io.waitScope);
  }
  char text[512];
  ssize_t size = read(reader, text, sizeof(text));
  CHECK(kj::str(kj::arrayPtr(text, size)) ==
        "0\n1\n2\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\nLANG=C\n");
}

TEST_CASE("S20 S21 a confined child has a network of its own, and limits") {
  if (getuid() != 0) SKIP("only root makes network namespaces");
  Fixture f;
  auto spawn = [&](kj::StringPtr script, kj::Maybe<int> output) {
    ChildSpec spec{"/bin/sh",
                   kj::arr(kj::str("-c"), kj::str(script)),
                   ChildSpec::Owner{965900, 965900},
                   output,
                   ChildSpec::Lifetime::OWNED,
                   ChildSpec::Confinement{33, 44}};
    return ChildProcess::spawn(f.io.unixEventPort, f.reaper, kj::mv(spec));
  };
  int ends[2];
  KJ_SYSCALL(::pipe(ends));
  kj::AutoCloseFd reader(ends[0]);
  {
    kj::AutoCloseFd writer(ends[1]);
    auto child = spawn(
        "id -u; awk '/processes|open files|file size/ { print $(NF-2), $(NF-1) }' "
        "/proc/self/limits; grep -c : /proc/net/dev; readlink /proc/self/ns/net",
        writer.get());
    child->onExit().wait(f.io.waitScope);
  }
  char text[512];
  ssize_t size = read(reader, text, sizeof(text));
  auto told = kj::str(kj::arrayPtr(text, size));
  INFO(told.cStr());
  // A file's size, a core's, processes, files; and one network device.
  CHECK(told.startsWith("965900\n0 0\n0 0\n33 33\n44 44\n1\nnet:["));
  char own[64]{};
  KJ_SYSCALL(readlink("/proc/self/ns/net", own, sizeof(own) - 1));
  CHECK(strstr(told.cStr(), own) == nullptr);

  WithoutAdmin without;
  kj::String failure;
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { spawn("exit 0", nullptr); })) {
    failure = kj::str(exception->getDescription());
  }
  INFO(failure.cStr());
  CHECK(strstr(failure.cStr(), "network namespace") != nullptr);
  CHECK(strstr(failure.cStr(), "CAP_SYS_ADMIN") != nullptr);
  CHECK(strstr(failure.cStr(), "/bin/sh") != nullptr);
}

TEST_CASE("an owned child ends with its object, a detached one does not") {
  Fixture f;
  auto owned = f.shell("sleep 1000", ChildSpec::Lifetime::OWNED);
  auto watched =
      KJ_ASSERT_NONNULL(ProcessHandle::open(f.io.unixEventPort, owned->process().identity()));
  owned = nullptr;
  watched->onExit().wait(f.io.waitScope);

  auto detached = f.shell("sleep 1000", ChildSpec::Lifetime::DETACHED);
  auto identity = detached->process().identity();
  CHECK(getsid(identity.pid) == identity.pid);
  detached = nullptr;
  watched = KJ_ASSERT_NONNULL(ProcessHandle::open(f.io.unixEventPort, identity));
  CHECK(!watched->hasExited());
  watched->signal(SIGKILL);
  watched->onExit().wait(f.io.waitScope);
}

TEST_CASE("a process is known by its start time, not by its pid alone") {
  Fixture f;
  ProcessIdentity self{getpid(), KJ_ASSERT_NONNULL(processStartTime(getpid()))};
  CHECK(ProcessHandle::open(f.io.unixEventPort, self) != nullptr);
  self.startTime -= 1;
  CHECK(ProcessHandle::open(f.io.unixEventPort, self) == nullptr);
}

TEST_CASE("a process that lives is not said to have ended where descriptors are missing") {
  Fixture f;
  // None, and one: enough to hold the process, and not to read its start time.
  for (rlim_t left : {0, 1}) {
    kj::Maybe<kj::Exception> failure;
    {
      FewFiles few(left);
      failure =
          kj::runCatchingExceptions([&]() { ProcessHandle::open(f.io.unixEventPort, getpid()); });
    }
    INFO(left << " descriptors");
    CHECK(failure != nullptr);
  }
}

TEST_CASE("orphans are reaped, and children of other threads are left to them") {
  Fixture f;
  int ends[2];
  KJ_SYSCALL(pipe2(ends, O_CLOEXEC));
  kj::AutoCloseFd reader(ends[0]);
  pid_t orphan;
  {
    kj::AutoCloseFd writer(ends[1]);
    // The shell ends at once; its child waits to be told.
    auto parent = f.shell("setsid sleep 1000 & echo $!", ChildSpec::Lifetime::OWNED, writer.get());
    parent->onExit().wait(f.io.waitScope);
  }
  char text[32]{};
  KJ_SYSCALL(read(reader, text, sizeof(text) - 1));
  orphan = atoi(text);
  auto handle = KJ_ASSERT_NONNULL(ProcessHandle::open(f.io.unixEventPort, orphan));

  // A child of another thread, a zombie while the orphan is reaped.
  kj::MutexGuarded<bool> reaped(false);
  kj::MutexGuarded<pid_t> foreign(0);
  int foreignStatus = -1;
  auto other = kj::heap<kj::Thread>([&]() {
    pid_t pid = fork();
    if (pid == 0) _exit(5);
    siginfo_t info;
    waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
    *foreign.lockExclusive() = pid;
    reaped.lockExclusive().wait([](const bool& value) { return value; });
    waitpid(pid, &foreignStatus, 0);
  });
  foreign.lockExclusive().wait([](const pid_t& pid) { return pid != 0; });

  handle->signal(SIGKILL);
  handle->onExit().wait(f.io.waitScope);
  // Its own child, to be sure that the reaper has had its turn.
  f.shell("exit 0", ChildSpec::Lifetime::OWNED)->onExit().wait(f.io.waitScope);
  CHECK(processStartTime(orphan) == nullptr);
  *reaped.lockExclusive() = true;
  {
    auto join = kj::mv(other);
  }
  CHECK(WEXITSTATUS(foreignStatus) == 5);
}

}  // namespace
}  // namespace bothy
