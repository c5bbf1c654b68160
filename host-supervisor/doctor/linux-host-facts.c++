#include "doctor/linux-host-facts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>

#include <kj/debug.h>
#include <kj/io.h>
#include <kj/vector.h>

namespace bothy {

kj::Maybe<kj::String> LinuxHostFacts::text(kj::StringPtr path) const {
  // Files of the kernel have no size: they are read to their end.  A FIFO in the place of one does not
  // hold anything up.
  int raw = open(path.cStr(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (raw < 0) return nullptr;
  kj::AutoCloseFd fd(raw);
  kj::Vector<char> content;
  char buffer[4096];
  while (content.size() < MAX_FACT_BYTES) {
    ssize_t count = read(fd, buffer, kj::min(sizeof(buffer), MAX_FACT_BYTES - content.size()));
    if (count < 0 && errno == EINTR) continue;
    // Some files of the kernel open and then refuse.
    if (count < 0) return nullptr;
    if (count == 0) break;
    content.addAll(buffer, buffer + count);
  }
  while (!content.empty() && content.back() == '\n') content.removeLast();
  return kj::heapString(content.asPtr());
}

kj::Array<kj::String> LinuxHostFacts::names(kj::StringPtr directory) const {
  kj::Vector<kj::String> names;
  DIR* stream = opendir(directory.cStr());
  if (stream == nullptr) return nullptr;
  KJ_DEFER(closedir(stream));
  while (auto* entry = readdir(stream)) {
    kj::StringPtr name = entry->d_name;
    if (name != "." && name != "..") names.add(kj::str(name));
  }
  std::sort(names.begin(), names.end());
  return names.releaseAsArray();
}

bool LinuxHostFacts::exists(kj::StringPtr path) const {
  return access(path.cStr(), F_OK) == 0;
}

kj::Maybe<kj::String> LinuxHostFacts::blockDevice(kj::StringPtr path) const {
  struct stat stats;
  if (stat(path.cStr(), &stats) < 0) return nullptr;
  auto number = S_ISBLK(stats.st_mode) ? stats.st_rdev : stats.st_dev;
  auto link = kj::str("/sys/dev/block/", major(number), ":", minor(number));
  char target[PATH_MAX];
  ssize_t size = readlink(link.cStr(), target, sizeof(target) - 1);
  if (size < 0) return nullptr;
  target[size] = 0;
  kj::StringPtr device(target, size);
  return kj::str(device.slice(device.findLast('/').orDefault(-1) + 1));
}

kj::Maybe<HostFacts::FileSystem> LinuxHostFacts::fileSystem(kj::StringPtr path) const {
  auto existing = kj::str(path);
  struct statfs stats;
  while (statfs(existing.cStr(), &stats) < 0) {
    if (errno == EINTR) continue;
    if (errno != ENOENT && errno != ENOTDIR) return nullptr;
    size_t slash = existing.findLast('/').orDefault(0);
    if (existing == "/" || existing.size() == 0) return nullptr;
    existing = slash == 0 ? kj::str("/") : kj::heapString(existing.slice(0, slash));
  }
  auto type = static_cast<uint64_t>(stats.f_type);
  return FileSystem{type == TMPFS_MAGIC || type == RAMFS_MAGIC,
                    static_cast<uint64_t>(stats.f_bavail) * static_cast<uint64_t>(stats.f_bsize)};
}

uint32_t LinuxHostFacts::user() const {
  return geteuid();
}

uint64_t LinuxHostFacts::coreLimitBytes() const {
  struct rlimit limit;
  KJ_SYSCALL(getrlimit(RLIMIT_CORE, &limit));
  return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

}  // namespace bothy
