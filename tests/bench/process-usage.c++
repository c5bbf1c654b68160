#include "bench/process-usage.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <kj/filesystem.h>
#include <kj/io.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

namespace bothy {
namespace {

constexpr kj::StringPtr SWITCHES = "\nvoluntary_ctxt_switches:"_kj;

constexpr size_t MOST_TEXT_BYTES = 16 * 1024;

// Empty where the thread has ended, also between the two calls.
kj::String textOf(kj::StringPtr path) {
  int fd = open(path.cStr(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return nullptr;
  KJ_SYSCALL(fd, path);
  kj::AutoCloseFd file(fd);
  char text[MOST_TEXT_BYTES];
  auto size = read(fd, text, sizeof(text));
  if (size < 0 && errno == ESRCH) return nullptr;
  KJ_SYSCALL(size, path);
  return kj::heapString(text, static_cast<size_t>(size));
}

}  // namespace

ProcessUsage ProcessUsage::of(pid_t process) {
  ProcessUsage usage = {0, 0};
  auto tasks = kj::Path({"proc", kj::str(process), "task"});
  auto root = kj::newDiskFilesystem();
  for (auto& task : root->getRoot().openSubdir(tasks)->listNames()) {
    auto directory = kj::str("/", tasks.append(task).toString());
    // utime and stime of `stat` are of 10 ms; this is of nanoseconds.
    usage.cpuMillis += strtoull(textOf(kj::str(directory, "/schedstat")).cStr(), nullptr, 10) / 1e6;
    auto status = textOf(kj::str(directory, "/status"));
    auto switches = strstr(status.cStr(), SWITCHES.cStr());
    if (switches == nullptr) continue;
    usage.wakeUps += strtoull(switches + SWITCHES.size(), nullptr, 10);
  }
  return usage;
}

}  // namespace bothy
