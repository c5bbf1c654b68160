#pragma once

#include <fcntl.h>
#include <kj/debug.h>
#include <kj/filesystem.h>
#include <kj/timer.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process/hold-breaker.h"
#include "process/text-file.h"

namespace bothy {

constexpr kj::Duration LIMIT = 20 * kj::SECONDS;
// Of tests.
constexpr uid_t ALICE = 3001, BOB = 3002, ROOT = 0;

inline bool until(kj::FunctionParam<bool()> condition) {
  auto& clock = kj::systemPreciseMonotonicClock();
  for (const auto end = clock.now() + LIMIT; clock.now() < end; usleep(1000)) {
    if (condition()) return true;
  }
  return condition();
}

// A machine whose control groups and FUSE connections are files of its own.
struct WatchedWorld {
  WatchedWorld() {
    char name[] = "/tmp/bothy-test-XXXXXX";
    KJ_REQUIRE(mkdtemp(name) != nullptr);
    path = kj::str(name);
  }
  ~WatchedWorld() noexcept(false) {
    auto files = kj::newDiskFilesystem();
    files->getRoot().remove(kj::Path::parse(path.slice(1)));
  }

  kj::String path;
  LoopTouches touches;

  kj::AutoCloseFd file(kj::StringPtr name) {
    int fd;
    KJ_SYSCALL(fd = open(kj::str(path, '/', name).cStr(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                         0600));
    return kj::AutoCloseFd(fd);
  }
  kj::String text(kj::StringPtr name) { return readTextFile(kj::str(path, '/', name)); }
  bool isWritten(kj::StringPtr name) { return text(name).startsWith("1"); }

  void connect(kj::StringPtr name, uid_t owner, kj::StringPtr waiting) {
    mkdir(kj::str(path, "/fuse").cStr(), 0700);
    auto directory = kj::str(path, "/fuse/", name);
    KJ_SYSCALL(mkdir(directory.cStr(), 0700));
    file(kj::str("fuse/", name, "/abort"));
    auto counter = file(kj::str("fuse/", name, "/waiting"));
    KJ_SYSCALL(write(counter, waiting.begin(), waiting.size()));
    KJ_SYSCALL(chown(directory.cStr(), owner, owner));
  }
  void waits(kj::StringPtr name, kj::StringPtr waiting) {
    int fd;
    KJ_SYSCALL(fd = open(kj::str(path, "/fuse/", name, "/waiting").cStr(),
                         O_WRONLY | O_TRUNC | O_CLOEXEC));
    kj::AutoCloseFd counter(fd);
    KJ_SYSCALL(write(counter, waiting.begin(), waiting.size()));
  }
  bool isAborted(kj::StringPtr name) { return isWritten(kj::str("fuse/", name, "/abort")); }

  HoldBreaker::Options options() {
    HoldBreaker::Options result;
    result.fuseConnections =
        kj::AutoCloseFd(open(kj::str(path, "/fuse").cStr(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    result.allPrograms = file("all");
    result.reserve = file("reserve");
    result.log = file("log");
    return result;
  }
  bool says(kj::StringPtr words) { return strstr(text("log").cStr(), words.cStr()) != nullptr; }
};

}  // namespace bothy
