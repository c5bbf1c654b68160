#include "loop/process-handle.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>

namespace bothy {
namespace {

// Of /proc/PID/stat.
struct ProcessTimes {
  // Clock ticks: those that it has taken, and its start.
  uint64_t ticks;
  uint64_t start;
};
kj::Maybe<ProcessTimes> processTimes(pid_t pid) {
  auto path = kj::str("/proc/", pid, "/stat");
  kj::AutoCloseFd fd(::open(path.cStr(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) {
    int error = errno;
    if (error == ENOENT || error == ESRCH) return nullptr;
    KJ_FAIL_SYSCALL("open", error, path);
  }
  char text[1024];
  ssize_t size = read(fd, text, sizeof(text) - 1);
  if (size < 0) {
    int error = errno;
    if (error == ESRCH) return nullptr;
    KJ_FAIL_SYSCALL("read", error, path);
  }
  text[size] = '\0';
  // Field 2, the program's name, may hold anything; it ends at the last ')'.
  const char* position = strrchr(text, ')');
  ProcessTimes times{0, 0};
  for (int field = 3; field <= 22; field++) {
    if (position == nullptr) return nullptr;
    position = strchr(position + 1, ' ');
    if (position == nullptr) return nullptr;
    if (field == 14 || field == 15) times.ticks += strtoull(position, nullptr, 10);
    if (field == 22) times.start = strtoull(position, nullptr, 10);
  }
  return times;
}

class PidfdHandle final: public ProcessHandle {
public:
  PidfdHandle(kj::UnixEventPort& port, ProcessIdentity identity, kj::AutoCloseFd pidfdParam)
      : id(identity),
        pidfd(kj::mv(pidfdParam)),
        observer(port, pidfd, kj::UnixEventPort::FdObserver::OBSERVE_READ),
        exited(watch().fork()) {}
  KJ_DISALLOW_COPY_AND_MOVE(PidfdHandle);

  const ProcessIdentity& identity() const override { return id; }
  kj::Maybe<uint32_t> user() const override;
  kj::Promise<void> onExit() override { return exited.addBranch(); }
  bool hasExited() const override;
  void signal(int signum) const override;

private:
  ProcessIdentity id;
  kj::AutoCloseFd pidfd;
  kj::UnixEventPort::FdObserver observer;
  kj::ForkedPromise<void> exited;

  kj::Promise<void> watch();
};

kj::Promise<void> PidfdHandle::watch() {
  // The observer tells of changes only.
  while (!hasExited()) co_await observer.whenBecomesReadable();
}

bool PidfdHandle::hasExited() const {
  pollfd request{pidfd.get(), POLLIN, 0};
  int ready;
  KJ_SYSCALL(ready = poll(&request, 1, 0));
  return ready > 0;
}

kj::Maybe<uint32_t> PidfdHandle::user() const {
  struct stat stats;
  if (stat(kj::str("/proc/", id.pid).cStr(), &stats) < 0) {
    int error = errno;
    if (error == ENOENT || error == ESRCH) return nullptr;
    KJ_FAIL_SYSCALL("stat", error, id.pid);
  }
  // As long as it lives, its pid is no other's.
  if (hasExited()) return nullptr;
  return static_cast<uint32_t>(stats.st_uid);
}

void PidfdHandle::signal(int signum) const {
  if (syscall(SYS_pidfd_send_signal, pidfd.get(), signum, nullptr, 0) < 0 && errno != ESRCH) {
    KJ_FAIL_SYSCALL("pidfd_send_signal", errno, id.pid, signum);
  }
}

}  // namespace

kj::Maybe<uint64_t> processStartTime(pid_t pid) {
  return processTimes(pid).map([](const ProcessTimes& times) { return times.start; });
}

kj::Maybe<kj::Duration> processorTimeOf(const ProcessIdentity& identity) {
  KJ_IF_MAYBE (times, processTimes(identity.pid)) {
    if (times->start != identity.startTime) return nullptr;
    const auto perSecond = static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
    return static_cast<int64_t>(times->ticks * (1'000'000'000 / perSecond)) * kj::NANOSECONDS;
  }
  return nullptr;
}

kj::Maybe<kj::Own<ProcessHandle>> ProcessHandle::open(kj::UnixEventPort& port,
                                                      ProcessIdentity identity) {
  KJ_IF_MAYBE (handle, open(port, identity.pid)) {
    if ((*handle)->identity() == identity) return kj::mv(*handle);
  }
  return nullptr;
}

kj::Maybe<kj::Own<ProcessHandle>> ProcessHandle::open(kj::UnixEventPort& port, pid_t pid) {
  if (pid <= 0) return nullptr;
  // The start time is read after the pidfd is held, so both belong to one process, or the process of
  // the pidfd has ended and onExit() tells it.
  kj::AutoCloseFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (pidfd.get() < 0) {
    int error = errno;
    // A pid may have become one of a thread: EINVAL, or ENOENT from Linux 6.15 on.
    if (error == ESRCH || error == EINVAL || error == ENOENT) return nullptr;
    KJ_FAIL_SYSCALL("pidfd_open", error, pid);
  }
  KJ_IF_MAYBE (startTime, processStartTime(pid)) {
    return kj::heap<PidfdHandle>(port, ProcessIdentity{pid, *startTime}, kj::mv(pidfd));
  }
  return nullptr;
}

}  // namespace bothy
