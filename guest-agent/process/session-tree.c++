#include "process/session-tree.h"

#include <dirent.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>
#include <kj/map.h>

#include "process/proc-text.h"
#include "process/text-file.h"

namespace bothy {

namespace {

// Until the next look at a process that cannot be watched.
constexpr kj::Duration LOOK_PAUSE = 10 * kj::MILLISECONDS;

// Every process that lives; zombies have ended.
kj::Vector<ProcessStat> readProcesses() {
  kj::Vector<ProcessStat> result;
  DIR* directory = opendir("/proc");
  if (directory == nullptr) return result;
  KJ_DEFER(closedir(directory));
  while (auto* entry = readdir(directory)) {
    KJ_IF_MAYBE (pid, kj::StringPtr(entry->d_name).tryParseAs<pid_t>()) {
      KJ_IF_MAYBE (stat, ProcessStat::parse(readTextFile(kj::str("/proc/", *pid, "/stat")))) {
        if (!stat->hasEnded()) result.add(*stat);
      }
    }
  }
  return result;
}

class SessionTree final: public ProcessTree {
public:
  explicit SessionTree(kj::UnixEventPort& eventPort) : eventPort(eventPort) {}

  kj::Maybe<int> cgroupFd() override { return nullptr; }
  void adopt(pid_t pid) override { leader = pid; }
  uint count() override { return members().size(); }

  kj::Promise<bool> signal(kj::Array<int> numbers) override {
    return signalAll(numbers, [this]() { return members(); });
  }

  void kill() override {
    int number = SIGKILL;
    signalAll(kj::arrayPtr(&number, 1), [this]() { return members(); });
  }

  kj::Promise<void> onEmpty() override {
    for (;;) {
      auto pids = members();
      if (pids.empty()) co_return;
      int fd = static_cast<int>(syscall(SYS_pidfd_open, pids[0], 0));
      if (fd < 0) {
        // It has just ended, or nothing can be opened now.
        co_await eventPort.getTimer().afterDelay(LOOK_PAUSE);
        continue;
      }
      kj::AutoCloseFd pidFd(fd);
      kj::UnixEventPort::FdObserver observer(eventPort, fd,
                                             kj::UnixEventPort::FdObserver::OBSERVE_READ);
      co_await observer.whenBecomesReadable();
    }
  }

private:
  kj::UnixEventPort& eventPort;
  pid_t leader = 0;

  kj::Vector<pid_t> members() {
    kj::Vector<pid_t> result;
    if (leader == 0) return result;
    auto all = readProcesses();
    kj::HashSet<pid_t> found;
    for (bool grown = true; grown;) {
      grown = false;
      for (auto& entry : all) {
        if (found.contains(entry.pid)) continue;
        if (entry.session != leader && entry.pid != leader && !found.contains(entry.parent)) {
          continue;
        }
        found.insert(entry.pid);
        result.add(entry.pid);
        grown = true;
      }
    }
    return result;
  }
};

}  // namespace

kj::Own<ProcessTree> newSessionTree(kj::UnixEventPort& eventPort) {
  return kj::heap<SessionTree>(eventPort);
}

}  // namespace bothy
