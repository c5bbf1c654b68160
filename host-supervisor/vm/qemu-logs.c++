#include "vm/qemu-logs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>

namespace bothy {
namespace {

// Between two lines of the log about it.
constexpr kj::Duration CUT_LOG_PAUSE = 1 * kj::MINUTES;

bool cutIfLong(int directory, const char* name) {
  struct stat stats;
  if (fstatat(directory, name, &stats, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(stats.st_mode) ||
      static_cast<uint64_t>(stats.st_size) <= QEMU_LOG_LIMIT_BYTES) {
    return false;
  }
  int fd = openat(directory, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0 && errno == ENOENT) return false;  // its machine has ended
  if (fd < 0) KJ_FAIL_SYSCALL("openat", errno, name);
  kj::AutoCloseFd file(fd);
  KJ_SYSCALL(ftruncate(file, 0), name);
  return true;
}

}  // namespace

size_t cutQemuLogs(kj::StringPtr directory) {
  auto entries = opendir(directory.cStr());
  if (entries == nullptr && errno == ENOENT) return 0;  // there was no machine yet
  if (entries == nullptr) KJ_FAIL_SYSCALL("opendir", errno, directory);
  KJ_DEFER(closedir(entries));
  size_t count = 0;
  while (auto entry = readdir(entries)) {
    if (cutIfLong(dirfd(entries), entry->d_name)) ++count;
  }
  return count;
}

kj::Promise<void> keepQemuLogsShort(kj::Timer& timer, kj::String directory) {
  size_t cut = 0;
  kj::Maybe<kj::TimePoint> told;
  for (;;) {
    co_await timer.afterDelay(QEMU_LOG_LOOK_PAUSE);
    auto failure = kj::runCatchingExceptions([&]() { cut += cutQemuLogs(directory); });
    if (cut == 0 && failure == nullptr) continue;
    const auto now = timer.now();
    if (told != nullptr && now - KJ_ASSERT_NONNULL(told) < CUT_LOG_PAUSE) continue;
    told = now;
    KJ_IF_MAYBE (e, failure) {
      KJ_LOG(ERROR, "what QEMUs write is not bounded; trying again", e->getDescription());
      continue;
    }
    KJ_LOG(WARNING, "QEMUs write more than fits into their logs; those were emptied", cut);
    cut = 0;
  }
}

}  // namespace bothy
