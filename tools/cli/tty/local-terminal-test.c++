#include "tty/local-terminal.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <kj/async-io.h>
#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

struct Pty {
  kj::AutoCloseFd controller;
  kj::AutoCloseFd terminal;

  Pty() {
    int fds[2];
    struct winsize size{.ws_row = 40, .ws_col = 132, .ws_xpixel = 0, .ws_ypixel = 0};
    KJ_SYSCALL(openpty(&fds[0], &fds[1], nullptr, nullptr, &size));
    controller = kj::AutoCloseFd(fds[0]);
    terminal = kj::AutoCloseFd(fds[1]);
  }

  tcflag_t localFlags() {
    struct termios mode{};
    KJ_SYSCALL(tcgetattr(terminal, &mode));
    return mode.c_lflag;
  }
};

TEST_CASE("P17 the local terminal's mode is as before when raw mode ends") {
  auto io = kj::setupAsyncIo();
  Pty pty;
  RawTerminal terminal(io.unixEventPort, pty.terminal, pty.terminal);
  CHECK(terminal.isInteractive());
  auto before = pty.localFlags();
  {
    auto raw = terminal.enterRawMode();
    CHECK((pty.localFlags() & (ICANON | ECHO | ISIG)) == 0);
  }
  CHECK(pty.localFlags() == before);
}

// A process that crashes at a terminal: what that shows.
kj::String crash(Pty& pty, kj::StringPtr undo) {
  pid_t pid;
  KJ_SYSCALL(pid = fork());
  if (pid == 0) {
    const rlimit noCore{0, 0};
    setrlimit(RLIMIT_CORE, &noCore);
    auto io = kj::setupAsyncIo();
    RawTerminal terminal(io.unixEventPort, pty.terminal, pty.terminal);
    auto raw = terminal.enterRawMode();
    terminal.undoAtCrash("not the last");
    terminal.undoAtCrash(undo);
    abort();
  }
  int status = 0;
  KJ_SYSCALL(waitpid(pid, &status, 0));
  CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT));
  char shown[LocalTerminal::MAX_UNDO_BYTES];
  KJ_SYSCALL(fcntl(pty.controller, F_SETFL, O_NONBLOCK));
  auto count = read(pty.controller, shown, sizeof(shown));
  return kj::heapString(shown, count < 0 ? 0 : static_cast<size_t>(count));
}

TEST_CASE("P17 a crash leaves the local terminal as it was") {
  Pty pty;
  auto before = pty.localFlags();
  CHECK(crash(pty, "\033[?1000l\033[?1049l\033[?25h") == "\033[?1000l\033[?1049l\033[?25h");
  CHECK(pty.localFlags() == before);
  CHECK(crash(pty, kj::str(kj::repeat('x', LocalTerminal::MAX_UNDO_BYTES + 1))) == "");
  CHECK(pty.localFlags() == before);
}

TEST_CASE("P03 the size is the terminal's, and 80x24 where it knows none") {
  auto io = kj::setupAsyncIo();
  Pty pty;
  RawTerminal terminal(io.unixEventPort, pty.terminal, pty.terminal);
  auto size = KJ_REQUIRE_NONNULL(terminal.size());
  CHECK((size.columns == 132 && size.rows == 40));

  struct winsize unknown{};
  KJ_SYSCALL(ioctl(pty.controller, TIOCSWINSZ, &unknown));
  size = KJ_REQUIRE_NONNULL(terminal.size());
  CHECK((size.columns == 80 && size.rows == 24));
}

TEST_CASE("what is no terminal has no size") {
  auto io = kj::setupAsyncIo();
  int fd;
  KJ_SYSCALL(fd = open("/dev/null", O_RDWR | O_CLOEXEC));
  kj::AutoCloseFd null(fd);
  RawTerminal terminal(io.unixEventPort, null, null);
  CHECK_FALSE(terminal.isInteractive());
  CHECK(terminal.size() == nullptr);
}

TEST_CASE("P03 a resize is told") {
  RawTerminal::captureSignals();
  auto io = kj::setupAsyncIo();
  Pty pty;
  RawTerminal terminal(io.unixEventPort, pty.terminal, pty.terminal);
  auto resized = terminal.onResize();
  CHECK_FALSE(resized.poll(io.waitScope));
  KJ_SYSCALL(raise(SIGWINCH));
  resized.wait(io.waitScope);
}

}  // namespace
}  // namespace bothy
