#include "boot/machine-shutdown.h"

#include <dirent.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "boot/boot-record.h"
#include "boot/root.h"
#include "boot/user-mounts.h"
#include "process/cgroup.h"
#include "process/proc-text.h"
#include "process/text-file.h"

namespace bothy {
namespace {

// For all that users have mounted; the host, which waits 30 seconds or so, ends the machine by force.
constexpr kj::Duration TAKE_DOWN_LIMIT = 5 * kj::SECONDS;

bool isNumber(kj::StringPtr text) {
  for (char c : text) {
    if (c < '0' || c > '9') {
      return false;
    }
  }
  return text.size() > 0;
}

void hangUpTerminals(ProgramMark mark) {
  DIR* processes = ::opendir("/proc");
  if (processes == nullptr) {
    return;
  }
  KJ_DEFER(::closedir(processes));
  for (;;) {
    Touch touch(mark);
    auto entry = ::readdir(processes);
    if (entry == nullptr) {
      return;
    }
    kj::StringPtr name = entry->d_name;
    // A process may end while we look at it.
    if (isNumber(name) && name != "1" &&
        leadsTerminal(readTextFile(kj::str("/proc/", name, "/stat")))) {
      ::kill(atoi(name.cStr()), SIGHUP);
    }
  }
}

// Whoever writes to a file system that root has frozen sleeps until it is thawed, and this process would be the first.
void thaw(int mount) {
  // That is for the path alone, perhaps.
  const int fd = ::openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    return;
  }
  kj::AutoCloseFd directory(fd);
  if (::ioctl(directory, FITHAW, 0) == 0) {
    KJ_LOG(WARNING, "the data disk was frozen and is thawed, since the machine ends");
  }
}

}  // namespace

bool leadsTerminal(kj::StringPtr stat) {
  KJ_IF_MAYBE (process, ProcessStat::parse(stat)) {
    return process->pid == process->session && process->terminal != 0;
  }
  return false;
}

void MachineShutdown::terminateAll() {
  ::kill(-1, SIGTERM);
  const auto mark = everybodysMark();
  hangUpTerminals(mark);
  // A stopped process takes no signal but SIGKILL until it goes on.
  ::kill(-1, SIGCONT);
  // Nor does one that is frozen.
  KJ_IF_MAYBE (group, programs) thawWithin(*group, mark);
  KJ_IF_MAYBE (mount, dataMount) thaw(*mount);
}

void MachineShutdown::killAll() {
  ::kill(-1, SIGKILL);
}

void MachineShutdown::halt(Ending ending) {
  // Nobody is left to freeze it again.
  KJ_IF_MAYBE (mount, dataMount) thaw(*mount);
  kj::runCatchingExceptions([]() { addRecord(ALL_RECORDS, RecordKind::SHUTDOWN); });
  if (!takeDownUserMounts(TAKE_DOWN_LIMIT)) {
    KJ_LOG(WARNING, "mounts of users hang and are left as they are");
  }
  settleFileSystems(dataMount);
  ::reboot(ending == Ending::REBOOT ? RB_AUTOBOOT : RB_POWER_OFF);
  // Reached only without the right to do so.
  ::_exit(1);
}

}  // namespace bothy
