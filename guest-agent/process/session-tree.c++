#include "process/session-tree.h"

#include <dirent.h>
#include <errno.h>
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

// The processes that live; zombies have ended.
struct Processes {
  kj::Vector<ProcessStat> found;
  bool areAll = true;  // else some could not be looked at
};

Processes readProcesses() {
  Processes result;
  DIR* directory = opendir("/proc");
  result.areAll = directory != nullptr;
  if (!result.areAll) return result;
  KJ_DEFER(closedir(directory));
  while (auto* entry = readdir(directory)) {
    KJ_IF_MAYBE (pid, kj::StringPtr(entry->d_name).tryParseAs<pid_t>()) {
      errno = 0;
      KJ_IF_MAYBE (text, findTextFile(kj::str("/proc/", *pid, "/stat"))) {
        KJ_IF_MAYBE (stat, ProcessStat::parse(*text)) {
          if (!stat->hasEnded()) result.found.add(*stat);
        }
      } else if (errno != ENOENT && errno != ESRCH) {
        result.areAll = false;
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
  uint count() override { return members().pids.size(); }

  kj::Promise<bool> signal(kj::Array<int> numbers) override {
    return signalAll(numbers, [this]() { return members().pids; });
  }

  void kill() override {
    int number = SIGKILL;
    signalAll(kj::arrayPtr(&number, 1), [this]() { return members().pids; });
  }

  kj::Promise<void> onEmpty() override {
    for (;;) {
      auto now = members();
      if (now.pids.empty() && now.areAll) co_return;
      int fd = now.pids.empty() ? -1 : static_cast<int>(syscall(SYS_pidfd_open, now.pids[0], 0));
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

  struct Members {
    kj::Vector<pid_t> pids;
    bool areAll = true;
  };

  Members members() {
    Members result;
    if (leader == 0) return result;
    auto [all, areAll] = readProcesses();
    result.areAll = areAll;
    kj::HashSet<pid_t> found;
    for (bool grown = true; grown;) {
      grown = false;
      for (auto& entry : all) {
        if (found.contains(entry.pid)) continue;
        if (entry.session != leader && entry.pid != leader && !found.contains(entry.parent)) {
          continue;
        }
        found.insert(entry.pid);
        result.pids.add(entry.pid);
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
