#include "vm/user-processes.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <kj/vector.h>

#include <filesystem>
#include <string>

#include "loop/process-handle.h"

namespace bothy {

kj::Array<pid_t> UserProcesses::list() const {
  auto fs = kj::newDiskFilesystem();
  kj::Vector<pid_t> found;
  for (auto& name : fs->getRoot().openSubdir(kj::Path("proc"))->listNames()) {
    pid_t pid = atoi(name.cStr());
    struct stat stats;
    if (pid > 0 && stat(kj::str("/proc/", pid).cStr(), &stats) == 0 && stats.st_uid == user) {
      found.add(pid);
    }
  }
  return found.releaseAsArray();
}

void UserProcesses::signal(int signum) const {
  for (pid_t pid : list()) {
    KJ_IF_MAYBE (process, ProcessHandle::open(port, pid)) {
      (*process)->signal(signum);
    }
  }
}

kj::Promise<void> UserProcesses::kill() const {
  // All of them before one is waited for: it may hang in the kernel.
  kj::Vector<kj::Promise<void>> exits;
  for (pid_t pid : list()) {
    KJ_IF_MAYBE (process, ProcessHandle::open(port, pid)) {
      (*process)->signal(SIGKILL);
      auto exit = (*process)->onExit();
      exits.add(exit.attach(kj::mv(*process)));
    }
  }
  return kj::joinPromises(exits.releaseAsArray());
}

bool UserProcesses::isAnyRunning(kj::StringPtr program) const {
  std::error_code error;
  auto wanted = std::filesystem::canonical(program.cStr(), error).string();
  if (error) wanted = program.cStr();
  for (pid_t pid : list()) {
    // Of a zombie there is none.
    auto found = std::filesystem::read_symlink(kj::str("/proc/", pid, "/exe").cStr(), error);
    if (!error && (found.string() == wanted || found.string() == wanted + " (deleted)"))
      return true;
  }
  return false;
}

}  // namespace bothy
