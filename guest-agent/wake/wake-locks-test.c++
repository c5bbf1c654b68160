#include "wake/wake-locks.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <catch2/catch_test_macros.hpp>

#include "process/test-world.h"
#include "process/text-file.h"

namespace bothy {
namespace {

struct World: public TestWorld {
  World() : TestWorld(Trees::SESSIONS) { chmod(directory.cStr(), 0755); }

  kj::String socketPath = kj::str(directory, "/wake");
  kj::Vector<WakeSummary> told;
  kj::Own<WakeLocks> locks =
      kj::heap<WakeLocks>(*programs, WakeLocks::Options{.socket = kj::str(socketPath)},
                          [this](const WakeSummary& summary) { told.add(summary); });

  kj::AutoCloseFd connect() {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, socketPath.begin(), socketPath.size());
    int fd;
    KJ_SYSCALL(fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    kj::AutoCloseFd client(fd);
    KJ_SYSCALL(::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)));
    return client;
  }
  // What comes first; empty: the end.
  kj::String answer(int fd) {
    kj::String text;
    await([&]() {
      char buffer[1024];
      const auto count = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
      if (count > 0) text = kj::heapString(buffer, count);
      return count >= 0;
    });
    return text;
  }
  kj::String ask(int fd, kj::StringPtr request) {
    KJ_SYSCALL(write(fd, request.begin(), request.size()));
    return answer(fd);
  }
  // The child of this process that serves.
  static pid_t service() {
    for (auto& name :
         kj::newDiskFilesystem()->getRoot().openSubdir(kj::Path("proc"))->listNames()) {
      auto pid = name.tryParseAs<pid_t>();
      if (pid == nullptr) continue;
      auto status = readTextFile(kj::str("/proc/", name, "/status"));
      auto line = readTextFile(kj::str("/proc/", name, "/cmdline"));
      const bool isOurs =
          strstr(status.cStr(), kj::str("PPid:\t", getpid(), "\n").cStr()) != nullptr;
      if (isOurs && line.size() > 12 && strcmp(line.cStr() + 12, "--wake-service") == 0) {
        return KJ_ASSERT_NONNULL(pid);
      }
    }
    FAIL("nobody serves");
    return 0;
  }
  void awaitCount(uint32_t count) {
    await([&]() { return told.size() > 0 && told.back().count == count; });
  }
};

TEST_CASE("P26 who holds a wake lock over the socket has it until he leaves") {
  World w;
  {
    auto client = w.connect();
    CHECK(w.ask(client, "hold 60000 make\n") == "ok 1\n");
    w.awaitCount(1);
    CHECK((w.told.back().uid == getuid() && kj::StringPtr(w.told.back().label) == "make"));
    auto other = w.connect();
    CHECK(w.ask(other, "keep 60000 other\n") == "ok 2\n");
    // It is closed, and what it has kept stays.
    CHECK(w.answer(other) == "");
    w.awaitCount(2);
  }
  w.awaitCount(1);
  CHECK(kj::StringPtr(w.told.back().label) == "other");
  auto last = w.connect();
  CHECK(w.ask(last, "release all\n") == "ok 1\n");
  w.awaitCount(0);
}

TEST_CASE("P26 a lock is over when its time is") {
  World w;
  auto client = w.connect();
  w.ask(client, "hold 1000 short\n");
  w.awaitCount(1);
  w.awaitCount(0);
}

TEST_CASE("S42 a service that is killed takes its locks with it, and the next one comes") {
  World w;
  auto client = w.connect();
  w.ask(client, "hold 60000 a\n");
  w.awaitCount(1);
  kill(w.service(), SIGKILL);
  w.awaitCount(0);
  auto other = w.connect();
  CHECK(w.ask(other, "hold 60000 b\n") == "ok 1\n");
  w.awaitCount(1);
}

TEST_CASE("S42 who says nothing, or too much, loses his connection") {
  World w;
  auto much = w.connect();
  CHECK(w.ask(much, kj::str(kj::repeat('x', 300))) == "no the request is too long\n");
  auto silent = w.connect();
  CHECK(w.answer(silent) == "");
}

}  // namespace
}  // namespace bothy
