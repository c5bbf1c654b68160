#include "vm/user-processes.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <kj/vector.h>

#include <filesystem>
#include <string>

#include "loop/user-kill.h"

namespace bothy {
namespace {

// What was killed is gone after some milliseconds; only what is not then is looked for.
constexpr kj::Duration FIRST_PAUSE = 1 * kj::MILLISECONDS;
constexpr kj::Duration PAUSES_LIMIT = 500 * kj::MILLISECONDS;

}  // namespace

bool UserProcesses::mayBeAny() const {
  // The kernel knows the users that have processes (getpriority(2)).  A priority may be -1.
  errno = 0;
  return getpriority(PRIO_USER, user) != -1 || errno != ESRCH;
}

kj::Array<kj::Own<ProcessHandle>> UserProcesses::living() const {
  KJ_REQUIRE(user != 0, "no machine is root's");
  if (!mayBeAny()) return nullptr;
  auto fs = kj::newDiskFilesystem();
  kj::Vector<kj::Own<ProcessHandle>> found;
  for (auto& name : fs->getRoot().openSubdir(kj::Path("proc"))->listNames()) {
    pid_t pid = atoi(name.cStr());
    struct stat stats;
    if (pid <= 0 || stat(kj::str("/proc/", pid).cStr(), &stats) < 0 || stats.st_uid != user) {
      continue;
    }
    // Another may have the pid by now: whose it is counts from when it is held.
    KJ_IF_MAYBE (process, ProcessHandle::open(port, pid)) {
      KJ_IF_MAYBE (owner, (*process)->user()) {
        if (*owner == user) found.add(kj::mv(*process));
      }
    }
  }
  return found.releaseAsArray();
}

void UserProcesses::signal(int signum) const {
  for (auto& process : living()) process->signal(signum);
}

kj::Promise<void> UserProcesses::kill() const {
  // From here on none of them forks any more: a look finds those that have not ended yet.
  killAllOf(user, sender);
  for (auto pause = FIRST_PAUSE; pause < PAUSES_LIMIT && mayBeAny(); pause = 2 * pause) {
    co_await port.getTimer().afterDelay(pause);
  }
  for (auto processes = living(); processes.size() > 0; processes = living()) {
    auto exits = KJ_MAP(process, processes) {
      return process->onExit();
    };
    co_await kj::joinPromises(kj::mv(exits));
  }
}

bool UserProcesses::isAnyRunning(kj::StringPtr program) const {
  std::error_code error;
  auto wanted = std::filesystem::canonical(program.cStr(), error).string();
  if (error) wanted = program.cStr();
  for (auto& process : living()) {
    const pid_t pid = process->identity().pid;
    // Of one that has ended meanwhile there is none.
    auto found = std::filesystem::read_symlink(kj::str("/proc/", pid, "/exe").cStr(), error);
    if (!error && (found.string() == wanted || found.string() == wanted + " (deleted)"))
      return true;
  }
  return false;
}

}  // namespace bothy
