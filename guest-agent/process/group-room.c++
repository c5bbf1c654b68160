#include "process/group-room.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <kj/io.h>

namespace bothy {

namespace {

// memory.stat has some sixty lines.
constexpr size_t MAX_FILE_BYTES = 8192;

kj::String readIn(int directory, const char* name) {
  int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return kj::str();
  kj::AutoCloseFd owned(fd);
  char text[MAX_FILE_BYTES];
  size_t size = 0;
  while (size < sizeof(text)) {
    auto n = read(fd, text + size, sizeof(text) - size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    size += n;
  }
  return kj::heapString(text, size);
}

// None: "max", or it cannot be read.
kj::Maybe<uint64_t> numberIn(int directory, const char* name) {
  auto text = readIn(directory, name);
  KJ_IF_MAYBE (end, text.findFirst('\n')) {
    return kj::heapString(text.slice(0, *end)).tryParseAs<uint64_t>();
  }
  return nullptr;
}

uint64_t left(kj::Maybe<uint64_t> most, kj::Maybe<uint64_t> taken) {
  KJ_IF_MAYBE (limit, most) {
    KJ_IF_MAYBE (now, taken) return *limit > *now ? *limit - *now : 0;
  }
  return UINT64_MAX;
}

}  // namespace

kj::Maybe<uint64_t> numberAfter(kj::StringPtr text, kj::StringPtr key) {
  for (auto rest = text;;) {
    auto end = rest.findFirst('\n').orDefault(rest.size());
    if (rest.startsWith(key) && end > key.size() && rest[key.size()] == ' ') {
      return kj::heapString(rest.slice(key.size() + 1, end)).tryParseAs<uint64_t>();
    }
    if (end >= rest.size()) return nullptr;
    rest = rest.slice(end + 1);
  }
}

GroupRoom roomIn(int fd) {
  GroupRoom result;
  result.tasks = left(numberIn(fd, "pids.max"), numberIn(fd, "pids.current"));
  result.memoryBytes = left(numberIn(fd, "memory.max"), numberIn(fd, "memory.current"));
  if (result.memoryBytes != UINT64_MAX) {
    auto stat = readIn(fd, "memory.stat");
    for (auto key : {"inactive_file"_kj, "active_file"_kj, "slab_reclaimable"_kj}) {
      result.memoryBytes += numberAfter(stat, key).orDefault(0);
    }
  }
  return result;
}

}  // namespace bothy
