#include "process/left-pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "process/test-world.h"

namespace bothy {
namespace {

struct World {
  kj::AsyncIoContext io = setupTestIo();
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  LeftPipes pipes{io.unixEventPort, timer};

  // The end of who writes.
  kj::AutoCloseFd leave() {
    int ends[2];
    KJ_SYSCALL(pipe2(ends, O_CLOEXEC | O_NONBLOCK));
    pipes.add(kj::AutoCloseFd(ends[0]));
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

TEST_CASE("S01 of pipes that were left only the last are kept open") {
  World w;
  signal(SIGPIPE, SIG_IGN);
  kj::Vector<kj::AutoCloseFd> writers;
  for (size_t i = 0; i <= LeftPipes::MOST_PIPES; i++) writers.add(w.leave());
  CHECK(w.pipes.size() == LeftPipes::MOST_PIPES);
  CHECK(write(writers[0], "x", 1) < 0);
  CHECK(errno == EPIPE);
  CHECK(write(writers[1], "x", 1) == 1);
}

}  // namespace
}  // namespace bothy
