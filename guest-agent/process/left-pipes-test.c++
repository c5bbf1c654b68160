#include "process/left-pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "process/test-world.h"

namespace bothy {
namespace {

// Descriptors of a test are below this.
constexpr int FIRST_FDS = 64;

struct World {
  explicit World(size_t mostPipes = LeftPipes::MOST_PIPES)
      : pipes(io.unixEventPort, timer, mostPipes) {}

  kj::AsyncIoContext io = setupTestIo();
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  LeftPipes pipes;

  // The end of who writes.
  kj::AutoCloseFd leave() {
    int ends[2];
    KJ_SYSCALL(pipe2(ends, O_CLOEXEC | O_NONBLOCK));
    pipes.add(kj::AutoCloseFd(ends[0]), ProgramMark());
    return kj::AutoCloseFd(ends[1]);
  }
  // Writes as much as is taken without a moment's rest; how much that is.
  size_t flood(int fd) {
    const kj::byte bytes[4096] = {};
    size_t written = 0;
    for (;;) {
      ssize_t size = write(fd, bytes, sizeof(bytes));
      if (size > 0) {
        written += size;
        continue;
      }
      KJ_REQUIRE(errno == EAGAIN);
      const auto before = written;
      io.waitScope.poll();
      size = write(fd, bytes, sizeof(bytes));
      if (size > 0) written += size;
      if (written == before) return written;
    }
  }
};

TEST_CASE("P11 who writes to a pipe that was left is never told that nobody reads it") {
  World w;
  auto writer = w.leave();
  for (int i = 0; i < 100; i++) {
    CHECK(w.flood(writer) > 0);
    w.timer.advanceTo(w.timer.now() + LeftPipes::TURN_PAUSE);
    w.io.waitScope.poll();
  }
  CHECK(w.pipes.size() == 1);
  writer = nullptr;
  for (int i = 0; i < 10; i++) {
    w.io.waitScope.poll();
    w.timer.advanceTo(w.timer.now() + LeftPipes::TURN_PAUSE);
  }
  CHECK(w.pipes.size() == 0);
}

TEST_CASE("S01 who floods a pipe that was left is held back") {
  World w;
  auto writer = w.leave();
  const size_t most = LeftPipes::TURN_BYTES + fcntl(writer, F_GETPIPE_SZ);
  CHECK(w.flood(writer) <= most);
  w.io.waitScope.poll();
  CHECK(write(writer, "x", 1) < 0);
}

// Whether something is in the pipe.
bool hasBytes(int fd) {
  int size = 0;
  KJ_SYSCALL(ioctl(fd, FIONREAD, &size));
  return size > 0;
}

TEST_CASE("S01 whoever writes single bytes to pipes that were left does not keep the agent busy") {
  const size_t count = GENERATE(1, 64);
  World w;
  kj::Vector<kj::AutoCloseFd> writers;
  for (size_t i = 0; i < count; i++) writers.add(w.leave());
  // Each pipe has a byte again as soon as it was looked at.
  size_t looks = 0;
  constexpr auto STEP = 1 * kj::MILLISECONDS;
  for (auto time = 0 * kj::MILLISECONDS; time < 1 * kj::SECONDS; time += STEP) {
    for (int i = 0; i < 10; i++) {
      for (auto& writer : writers) {
        if (hasBytes(writer)) continue;
        looks++;
        CHECK(write(writer, "x", 1) == 1);
      }
      w.io.waitScope.poll();
    }
    w.timer.advanceTo(w.timer.now() + STEP);
  }
  CHECK(looks >= count * 5);
  CHECK(looks <= 500);
}

TEST_CASE("P11 silent pipes that were left do not slow down one that is written to") {
  World w;
  kj::Vector<kj::AutoCloseFd> silent;
  for (size_t i = 0; i < 8 * LeftPipes::PAUSE_PIPES; i++) silent.add(w.leave());
  auto writer = w.leave();
  for (int i = 0; i < 3; i++) {
    CHECK(w.flood(writer) > 0);
    w.timer.advanceTo(w.timer.now() + LeftPipes::TURN_PAUSE);
    w.io.waitScope.poll();
    CHECK_FALSE(hasBytes(writer));
  }
}

// Whether the loop, which sleeps in epoll_wait(2), would wake now.
bool wouldWake() {
  for (int fd = 0; fd < FIRST_FDS; fd++) {
    char target[64];
    const auto size = readlink(kj::str("/proc/self/fd/", fd).cStr(), target, sizeof(target));
    if (size < 0 || kj::StringPtr("anon_inode:[eventpoll]") != kj::heapString(target, size)) {
      continue;
    }
    struct pollfd state = {fd, POLLIN, 0};
    if (poll(&state, 1, 0) > 0) return true;
  }
  return false;
}

TEST_CASE("S01 what comes to a pipe that was left does not wake the agent before it looks again") {
  World w;
  auto writer = w.leave();
  w.io.waitScope.poll();
  CHECK_FALSE(wouldWake());
  CHECK(write(writer, "x", 1) == 1);
  CHECK(wouldWake());
  w.io.waitScope.poll();
  CHECK_FALSE(hasBytes(writer));
  CHECK(write(writer, "x", 1) == 1);
  CHECK_FALSE(wouldWake());
}

TEST_CASE("S01 of pipes that were left only the last are kept open") {
  constexpr size_t MOST = 4;
  World w(MOST);
  signal(SIGPIPE, SIG_IGN);
  kj::Vector<kj::AutoCloseFd> writers;
  for (size_t i = 0; i <= MOST; i++) writers.add(w.leave());
  CHECK(w.pipes.size() == MOST);
  CHECK(write(writers[0], "x", 1) < 0);
  CHECK(errno == EPIPE);
  CHECK(write(writers[1], "x", 1) == 1);
}

}  // namespace
}  // namespace bothy
