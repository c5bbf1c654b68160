#include "system/health.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "process/cgroup.h"
#include "process/proc-text.h"
#include "process/text-file.h"

namespace bothy {
namespace {

constexpr uint64_t KIB = 1024;

// None of the files that are read here is longer.
constexpr size_t MAX_PROC_BYTES = 8192;

kj::String readProc(kj::StringPtr path) {
  return findTextFile(path, MAX_PROC_BYTES).orDefault(kj::String());
}

// Of so many processes it is asked whether they are the kernel's threads; the rest is counted.
constexpr uint32_t MAX_ASKED = 1000;

// Processes with a memory of their own; the kernel's threads, whose children are all of kthreadd's,
// have none.  A directory below /proc is a process if its name begins with a digit.
uint32_t countInProc(ProgramMark mark) {
  DIR* entries = ::opendir("/proc");
  if (entries == nullptr) {
    return 0;
  }
  KJ_DEFER(::closedir(entries));
  uint32_t count = 0;
  for (;;) {
    Touch touch(mark);
    auto entry = ::readdir(entries);
    if (entry == nullptr) {
      return count;
    }
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') {
      continue;
    }
    if (count >= MAX_ASKED) {
      ++count;
      continue;
    }
    auto statm = readProc(kj::str("/proc/", entry->d_name, "/statm"));
    if (statm.size() > 0 && !statm.startsWith("0 ")) {
      ++count;
    }
  }
}

// The control groups tell it with a read each, however many there are.
uint32_t countProcesses(ProgramMark mark) {
  KJ_IF_MAYBE (count, countProcessesWithin("/sys/fs/cgroup", mark)) {
    return *count;
  }
  return countInProc(mark);
}

}  // namespace

uint64_t parseUptimeMillis(kj::StringPtr text) {
  auto seconds = ::strtod(text.cStr(), nullptr);
  return seconds > 0 ? static_cast<uint64_t>(seconds * 1000 + 0.5) : 0;
}

float parseLoad1(kj::StringPtr text) {
  return ::strtof(text.cStr(), nullptr);
}

void measureHealth(rpc::Health::Builder health, DiskSpace disk, ProgramMark mark) {
  health.setUptimeMillis(parseUptimeMillis(readProc("/proc/uptime")));

  auto memory = readProc("/proc/meminfo");
  health.setMemoryTotalBytes(parseField(memory, "MemTotal") * KIB);
  health.setMemoryAvailableBytes(parseField(memory, "MemAvailable") * KIB);

  if (disk == DiskSpace::TOLD) {
    struct statvfs space;
    if (::statvfs("/", &space) == 0) {
      health.setDiskTotalBytes(uint64_t(space.f_blocks) * space.f_frsize);
      health.setDiskFreeBytes(uint64_t(space.f_bavail) * space.f_frsize);
    }
  }

  health.setLoad1(parseLoad1(readProc("/proc/loadavg")));
  health.setProcesses(countProcesses(mark));
  auto cpus = ::sysconf(_SC_NPROCESSORS_ONLN);
  health.setCpus(cpus > 0 ? cpus : 0);

  auto self = readProc("/proc/self/status");
  health.setAgentMemoryBytes(parseField(self, "VmRSS") * KIB);
  health.setAgentWakeups(parseField(self, "voluntary_ctxt_switches"));
}

}  // namespace bothy
