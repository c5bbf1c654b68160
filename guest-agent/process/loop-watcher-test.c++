#include "process/loop-watcher.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <kj/filesystem.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "process/watched-world.h"

namespace bothy {
namespace {

constexpr kj::Duration SHORT_TICK = 5 * kj::MILLISECONDS;
// Where something is to end before the next step is due, on a machine that is busy.
constexpr kj::Duration LONG_TICK = 250 * kj::MILLISECONDS;
LoopWatcher::Options optionsOf(WatchedWorld& world, kj::Duration tick = SHORT_TICK) {
  LoopWatcher::Options result;
  result.tick = tick;
  result.breaker = world.options();
  return result;
}

TEST_CASE("touches that do not last are nobody's fault, however many there are") {
  WatchedWorld w;
  auto file = w.file("group");
  const auto mark = w.touches.add(ALICE, file);
  LoopWatcher watcher(w.touches, optionsOf(w));
  const auto before = watcher.looks();
  CHECK(until([&]() {
    Touch touch(mark);
    Touch within(w.touches.markOf(ALICE));
    return watcher.looks() > before + 4 * HoldBreaker::ENDS_PROGRAM_TICKS;
  }));
  CHECK_FALSE(w.isWritten("group"));
  CHECK(w.text("log") == "");
}

TEST_CASE("a loop that has no processor is held up by nobody") {
  WatchedWorld w;
  auto file = w.file("group"), status = w.file("status");
  auto say = [&](kj::StringPtr text) {
    KJ_SYSCALL(ftruncate(status, 0));
    KJ_SYSCALL(write(status, text.begin(), text.size()));
  };
  say("1 (bothy) R (agent) R 0 1\n");
  auto options = optionsOf(w);
  options.loopStatus =
      kj::AutoCloseFd(open(kj::str(w.path, "/status").cStr(), O_RDONLY | O_CLOEXEC));
  const auto mark = w.touches.add(ALICE, file);
  LoopWatcher watcher(w.touches, kj::mv(options));
  Touch touch(mark);
  const auto before = watcher.looks();
  CHECK(until([&]() { return watcher.looks() > before + 4 * HoldBreaker::ENDS_PROGRAM_TICKS; }));
  CHECK_FALSE(w.isWritten("group"));
  say("1 (bothy) R (agent) D 0 1\n");
  CHECK(until([&]() { return w.isWritten("group"); }));
}

TEST_CASE("R26 nobody looks while the loop touches nothing, and a touch is seen all the same") {
  WatchedWorld w;
  auto file = w.file("group");
  const auto mark = w.touches.add(ALICE, file);
  LoopWatcher watcher(w.touches, optionsOf(w));
  // Its thread may have begun late, or be without a processor for a while.
  CHECK(until([&]() { return watcher.looks() > 0; }));
  auto restingAt = [&]() {
    uint64_t now = watcher.looks();
    CHECK(until([&]() {
      const auto before = now;
      usleep(100 * SHORT_TICK / kj::MICROSECONDS);
      now = watcher.looks();
      return now == before;
    }));
    return now;
  };
  const auto looks = restingAt();
  usleep(100 * SHORT_TICK / kj::MICROSECONDS);
  CHECK(watcher.looks() == looks);
  {
    Touch touch(mark);
    CHECK(until([&]() { return w.isWritten("group"); }));
  }
  const auto later = restingAt();
  usleep(100 * SHORT_TICK / kj::MICROSECONDS);
  CHECK(watcher.looks() == later);
}

// Writes a byte to a pipe, and then what the kernel cannot read: it waits with the pipe's lock.
[[noreturn]] void holdPipe(int pipe) {
  const long fd = syscall(SYS_userfaultfd, O_CLOEXEC);
  uffdio_api api = {};
  api.api = UFFD_API;
  const auto size = static_cast<size_t>(getpagesize());
  auto* page = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  uffdio_register range = {};
  range.range.start = reinterpret_cast<uintptr_t>(page);
  range.range.len = size;
  range.mode = UFFDIO_REGISTER_MODE_MISSING;
  if (fd < 0 || ioctl(static_cast<int>(fd), UFFDIO_API, &api) < 0 || page == MAP_FAILED ||
      ioctl(static_cast<int>(fd), UFFDIO_REGISTER, &range) < 0 || write(pipe, "x", 1) != 1) {
    _exit(1);
  }
  _exit(write(pipe, page, size) < 0 ? 2 : 3);
}

TEST_CASE("S42 a program that holds a pipe in the kernel does not hold up who reads it") {
  if (geteuid() != 0) SKIP("the kernel's own faults are root's to hold");
  WatchedWorld w;
  int pipe[2], killed[2];
  KJ_SYSCALL(pipe2(pipe, O_CLOEXEC | O_NONBLOCK));
  KJ_SYSCALL(pipe2(killed, O_CLOEXEC));
  kj::AutoCloseFd readEnd(pipe[0]), writeEnd(pipe[1]), order(killed[0]), killFile(killed[1]);
  pid_t child;
  KJ_SYSCALL(child = fork());
  if (child == 0) holdPipe(writeEnd);
  writeEnd = nullptr;
  // As the kernel does for cgroup.kill.
  kj::Thread kernel([&]() {
    char word;
    if (read(order, &word, 1) == 1) kill(child, SIGKILL);
  });
  const auto mark = w.touches.add(ALICE, killFile);
  int status = 0;
  {
    auto options = optionsOf(w, LONG_TICK);
    options.loopStatus = kj::AutoCloseFd(
        open(kj::str("/proc/self/task/", gettid(), "/stat").cStr(), O_RDONLY | O_CLOEXEC));
    LoopWatcher watcher(w.touches, kj::mv(options));
    char bytes[2];
    CHECK(until([&]() {
      Touch touch(mark);
      ssize_t size = read(readEnd, bytes, sizeof(bytes));
      return size == 0 || (size < 0 && errno != EAGAIN) ||
             waitpid(child, &status, WNOHANG) == child;
    }));
  }
  killFile = nullptr;
  if (status == 0) {
    KJ_SYSCALL(kill(child, SIGKILL));
    KJ_SYSCALL(waitpid(child, &status, 0));
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 1) SKIP("no faults to hold here");
  CHECK(WIFSIGNALED(status));
  CHECK(w.says("the program is ended"));
  CHECK_FALSE(w.says("all programs"));
}

}  // namespace
}  // namespace bothy
