#include "process/reaper.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kj/debug.h>

namespace bothy {

namespace {

sigset_t childSignal() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  return set;
}

kj::AutoCloseFd openSignals() {
  sigset_t blocked;
  KJ_SYSCALL(sigprocmask(SIG_BLOCK, nullptr, &blocked));
  KJ_REQUIRE(sigismember(&blocked, SIGCHLD), "call Reaper::captureChildExit() first");
  sigset_t set = childSignal();
  int fd;
  KJ_SYSCALL(fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  return kj::AutoCloseFd(fd);
}

}  // namespace

void Reaper::captureChildExit() {
  sigset_t set = childSignal();
  KJ_SYSCALL(sigprocmask(SIG_BLOCK, &set, nullptr));
}

Reaper::Reaper(kj::UnixEventPort& eventPort, ProgramMark mark)
    : mark(mark),
      signals(openSignals()),
      observer(eventPort, signals.get(), kj::UnixEventPort::FdObserver::OBSERVE_READ),
      loop(run().eagerlyEvaluate(
          [](kj::Exception&& e) { KJ_LOG(FATAL, "children are no longer collected", e); })) {}

Reaper::~Reaper() noexcept(false) {}

kj::Promise<ExitStatus> Reaper::onExit(pid_t pid) {
  auto paf = kj::newPromiseAndFulfiller<ExitStatus>();
  waiters.insert(pid, kj::mv(paf.fulfiller));
  return kj::mv(paf.promise);
}

bool Reaper::isAlive(pid_t pid) const {
  return waiters.find(pid) != nullptr;
}

kj::Promise<void> Reaper::onChildless() {
  auto result = childless.wait();
  collect();
  return result;
}

kj::Promise<void> Reaper::run() {
  for (;;) {
    // Asked before the queue is emptied: the edge of a signal that comes meanwhile is kept.
    auto readable = observer.whenBecomesReadable();
    signalfd_siginfo info[4];
    while (read(signals.get(), info, sizeof(info)) > 0) {
    }
    collect();
    co_await readable;
  }
}

pid_t Reaper::collectOne(int& status) {
  Touch touch(mark);
  return waitpid(-1, &status, WNOHANG);
}

void Reaper::collect() {
  for (;;) {
    int status;
    const pid_t pid = collectOne(status);
    if (pid == 0) return;
    if (pid < 0) {
      KJ_ASSERT(errno == ECHILD, "waitpid failed", errno);
      childless.wakeAll();
      return;
    }
    KJ_IF_MAYBE (waiter, waiters.find(pid)) {
      auto fulfiller = kj::mv(*waiter);
      waiters.erase(pid);
      fulfiller->fulfill(ExitStatus::fromWaitStatus(status));
    }
  }
}

}  // namespace bothy
