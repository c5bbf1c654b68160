#include "process/waiting-child.h"

#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include <array>

#include <kj/debug.h>

#include "process/raw-syscall.h"

namespace bothy {

namespace {

constexpr size_t STACK_ALIGNMENT = 16;
constexpr int LAST_SIGNAL = 64;

// Whether the kernel refuses the cgroup, and would let the child be born elsewhere.
bool refusesCgroup(long result) {
  return result < 0 && result != -EAGAIN && result != -ENOMEM;
}

}  // namespace

WaitingChild::WaitingChild(kj::ArrayPtr<const int> ignoredSignals, int cgroupNamespace)
    : stack(kj::heapArray<kj::byte>(STACK_BYTES)) {
  plan.cgroupNamespace = cgroupNamespace;
  plan.ignoredSignals = ignoredSignals.begin();
  plan.ignoredSignalCount = ignoredSignals.size();
  plan.refused = -1;
}

WaitingChild::~WaitingChild() noexcept(false) {
  if (gone) return;
  ::kill(process, SIGKILL);
  struct pollfd end = {socket.get(), 0, 0};
  while (poll(&end, 1, -1) < 0 && errno == EINTR) {
  }
}

int WaitingChild::make(kj::UnixEventPort& eventPort, kj::Maybe<int> cgroup) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return errno;
  socket = kj::AutoCloseFd(ends[0]);
  kj::AutoCloseFd childEnd(ends[1]);
  plan.socket = childEnd.get();
  long pid;
  KJ_IF_MAYBE (fd, cgroup) {
    pid = clone(CLONE_INTO_CGROUP, *fd);
    outsideCgroup = refusesCgroup(pid);
    if (outsideCgroup) pid = clone(0, -1);
  } else {
    pid = clone(0, -1);
  }
  if (pid == -ENOSYS) pid = cloneWithoutHandlers();
  if (pid < 0) return static_cast<int>(-pid);
  process = static_cast<pid_t>(pid);
  gone = false;
  observer.emplace(eventPort, socket.get(), kj::UnixEventPort::FdObserver::OBSERVE_READ);
  return 0;
}

long WaitingChild::clone(uint64_t flags, int cgroup) {
  clone_args arguments = {};
  arguments.flags = CLONE_VM | CLONE_CLEAR_SIGHAND | flags;
  arguments.exit_signal = SIGCHLD;
  arguments.stack = reinterpret_cast<uintptr_t>(stack.begin());
  arguments.stack_size = stack.size() & ~(STACK_ALIGNMENT - 1);
  if (flags & CLONE_INTO_CGROUP) arguments.cgroup = cgroup;
  return rawClone(arguments, &runChild, &plan);
}

// For who may not call clone3(2), as file workers may not: nobody can look into its arguments.
long WaitingChild::cloneWithoutHandlers() {
  static const auto allSignals = [] {
    std::array<int, LAST_SIGNAL> result;
    for (int i = 0; i < LAST_SIGNAL; i++) result[i] = i + 1;
    return result;
  }();
  plan.ignoredSignals = allSignals.data();
  plan.ignoredSignalCount = allSignals.size();
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  auto* top = stack.begin() + (stack.size() & ~(STACK_ALIGNMENT - 1));
  const long pid = rawOldClone(CLONE_VM | SIGCHLD, top, &runChild, &plan);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return pid;
}

int WaitingChild::run(const int (&standardFds)[STANDARD_FDS]) {
  // Somebody may have stopped it.
  if (::kill(process, SIGCONT) < 0) return errno;
  char start = 0;
  struct iovec data = {&start, sizeof(start)};
  alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(standardFds))] = {};
  struct msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  auto* descriptors = CMSG_FIRSTHDR(&message);
  descriptors->cmsg_level = SOL_SOCKET;
  descriptors->cmsg_type = SCM_RIGHTS;
  descriptors->cmsg_len = CMSG_LEN(sizeof(standardFds));
  memcpy(CMSG_DATA(descriptors), standardFds, sizeof(standardFds));
  return sendmsg(socket.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? errno : 0;
}

kj::Promise<void> WaitingChild::onGone() {
  co_await KJ_ASSERT_NONNULL(observer).whenBecomesReadable();
  gone = true;
  observer = nullptr;
}

}  // namespace bothy
