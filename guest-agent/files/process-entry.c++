#include "files/process-entry.h"

#include <fcntl.h>
#include <kj/vector.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "process/text-file.h"

namespace bothy {
namespace {

// Of /proc/PID, what the kernel shows to everybody; /proc/net and /proc/mounts lead there, too.
constexpr kj::StringPtr OPEN_ENTRIES[] = {"cmdline"_kj, "comm"_kj, "mounts"_kj, "net"_kj,
                                          "status"_kj};

// The agent in a machine, of which this process is a worker.  The kernel would let a worker of root's read all of its entry.
constexpr pid_t AGENT_PID = 1;

// Of a line of mountinfo.
constexpr size_t MOUNT_FIELD = 0, ROOT_FIELD = 3, POINT_FIELD = 4;

// None: it has not so many.
kj::Maybe<kj::ArrayPtr<const char>> field(kj::ArrayPtr<const char> line, size_t number) {
  size_t begin = 0;
  for (size_t i = 0; i <= line.size(); i++) {
    if (i < line.size() && line[i] != ' ') continue;
    if (number-- == 0) return line.slice(begin, i);
    begin = i + 1;
  }
  return nullptr;
}

// The kernel writes a space, a tab, a line feed and a backslash as \ooo.
kj::String unescape(kj::ArrayPtr<const char> text) {
  constexpr size_t DIGITS = 3;
  kj::Vector<char> result(text.size() + 1);
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] != '\\' || i + DIGITS >= text.size()) {
      result.add(text[i]);
      continue;
    }
    uint code = 0;
    for (size_t j = 1; j <= DIGITS; j++) code = code * 8 + static_cast<uint>(text[i + j] - '0');
    result.add(static_cast<char>(code));
    i += DIGITS;
  }
  result.add('\0');
  return kj::String(result.releaseAsArray());
}

bool isBelowOrAt(kj::ArrayPtr<const char> path, kj::ArrayPtr<const char> top) {
  if (path.size() < top.size() || path.slice(0, top.size()) != top) return false;
  return path.size() == top.size() || path[top.size()] == '/';
}

bool isOfProcFileSystem(int fd) {
  struct statfs status;
  return fstatfs(fd, &status) == 0 && status.f_type == PROC_SUPER_MAGIC;
}

kj::Maybe<uint64_t> mountOf(int fd) {
  struct statx status;
  if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &status) < 0 ||
      (status.stx_mask & STATX_MNT_ID) == 0) {
    return nullptr;
  }
  return status.stx_mnt_id;
}

}  // namespace

bool isAgentsOwn(int fd) {
  if (!isOfProcFileSystem(fd)) return false;
  char link[32];
  snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  char path[PATH_MAX + 1];
  const auto size = readlink(link, path, sizeof(path) - 1);
  if (size <= 0 || size >= PATH_MAX) return true;
  path[size] = '\0';
  KJ_IF_MAYBE (mount, mountOf(fd)) {
    KJ_IF_MAYBE (inside, pathInFileSystem(readTextFile("/proc/self/mountinfo"), *mount,
                                          kj::StringPtr(path, static_cast<size_t>(size)))) {
      return isOfProcess(*inside, getpid()) || isOfProcess(*inside, AGENT_PID);
    }
  }
  return true;
}

kj::Maybe<kj::String> pathInFileSystem(kj::StringPtr mountinfo, uint64_t mount,
                                       kj::StringPtr path) {
  const auto number = kj::str(mount);
  Lines lines(mountinfo);
  for (;;) {
    kj::ArrayPtr<const char> line;
    KJ_IF_MAYBE (next, lines.next()) {
      line = *next;
    } else {
      return nullptr;
    }
    if (field(line, MOUNT_FIELD).orDefault(nullptr) != number.asArray()) continue;
    auto root = unescape(field(line, ROOT_FIELD).orDefault(nullptr));
    auto point = unescape(field(line, POINT_FIELD).orDefault(nullptr));
    if (root.size() == 0 || point.size() == 0) return nullptr;
    // So that what is below them begins with the slash that it has.
    auto top = [](kj::StringPtr text) { return text == "/" ? kj::StringPtr() : text; };
    if (!isBelowOrAt(path, top(point))) return nullptr;
    return kj::str(top(root), path.slice(top(point).size()));
  }
}

bool isOfProcess(kj::StringPtr path, pid_t pid) {
  const auto directory = kj::str('/', pid, '/');
  if (!path.startsWith(directory)) return false;
  const auto entry = path.slice(directory.size());
  for (auto open : OPEN_ENTRIES) {
    if (isBelowOrAt(entry, open)) return false;
  }
  return true;
}

}  // namespace bothy
