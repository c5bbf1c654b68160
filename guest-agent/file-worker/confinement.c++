#include "file-worker/confinement.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file-worker/seccomp-profile.h"

namespace bothy {
namespace {

// Of memory that it may write.
constexpr rlim_t WORKER_DATA_BYTES = 128 * 1024 * 1024;
// A frame of zstd alone may want 128 MiB.
constexpr rlim_t ARCHIVE_DATA_BYTES = 256 * 1024 * 1024;

// struct landlock_ruleset_attr of Linux 6.12, which is newer than the headers.
struct Ruleset {
  uint64_t fileAccess;
  uint64_t networkAccess;
  uint64_t scoped;
};

constexpr uint64_t FS_TRUNCATE = 1ULL << 14;       // ABI 3
constexpr uint64_t FS_IOCTL_DEVICE = 1ULL << 15;   // ABI 5
constexpr uint64_t NETWORK_BIND_AND_CONNECT = 3;   // ABI 4
constexpr uint64_t SCOPE_SOCKETS_AND_SIGNALS = 3;  // ABI 6

// What no file is served by.
constexpr uint64_t NEVER = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                           LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                           LANDLOCK_ACCESS_FS_MAKE_FIFO | FS_IOCTL_DEVICE;

constexpr uint64_t allFileAccess(long abi) {
  uint64_t result = LANDLOCK_ACCESS_FS_MAKE_SYM | (LANDLOCK_ACCESS_FS_MAKE_SYM - 1);
  // Without it nothing could be renamed into another directory.
  if (abi >= 2) result |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= 3) result |= FS_TRUNCATE;
  if (abi >= 5) result |= FS_IOCTL_DEVICE;
  return result;
}

void allow(int ruleset, const char* path, uint64_t access) {
  int fd;
  KJ_SYSCALL(fd = open(path, O_PATH | O_CLOEXEC), path);
  kj::AutoCloseFd place(fd);
  landlock_path_beneath_attr rule = {};
  rule.allowed_access = access;
  rule.parent_fd = place.get();
  KJ_SYSCALL(syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0), path);
}

// The first ABI would keep files from being moved between directories.
constexpr long LEAST_ABI = 2;

void confineFiles() {
  const long abi =
      syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < LEAST_ABI) return;
  Ruleset rules = {};
  rules.fileAccess = allFileAccess(abi);
  size_t size = sizeof(rules.fileAccess);
  if (abi >= 4) {
    rules.networkAccess = NETWORK_BIND_AND_CONNECT;
    size += sizeof(rules.networkAccess);
  }
  if (abi >= 6) {
    rules.scoped = SCOPE_SOCKETS_AND_SIGNALS;
    size += sizeof(rules.scoped);
  }
  long fd;
  KJ_SYSCALL(fd = syscall(SYS_landlock_create_ruleset, &rules, size, 0));
  kj::AutoCloseFd ruleset(static_cast<int>(fd));
  allow(ruleset, "/", rules.fileAccess & ~NEVER);
  // What packs and unpacks is the same program.  With a sanitizer that is dynamic, and its interpreter runs it.
  const auto* program = __has_feature(address_sanitizer) ? "/" : "/proc/self/exe";
  allow(ruleset, program, LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE);
  KJ_SYSCALL(syscall(SYS_landlock_restrict_self, ruleset.get(), 0));
}

// What it starts may have as much as one that packs or unpacks.
void limitMemory(rlim_t bytes) {
  // A sanitizer's own takes terabytes of addresses.
  if (__has_feature(address_sanitizer)) return;
  const rlimit limit = {bytes, ARCHIVE_DATA_BYTES};
  KJ_SYSCALL(setrlimit(RLIMIT_DATA, &limit));
}

}  // namespace

void confineFileWorker() {
  KJ_SYSCALL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  limitMemory(WORKER_DATA_BYTES);
  confineFiles();
  allowCallsOfFileWorker();
}

void confineArchiveWorker() {
  limitMemory(ARCHIVE_DATA_BYTES);
  refuseCallsOfArchiveWorker();
}

}  // namespace bothy
