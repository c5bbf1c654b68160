#include "tty/local-terminal.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>

#include <kj/debug.h>

namespace bothy {
namespace {

// What a crash must put back; signal handlers reach nothing but globals.
struct Emergency {
  volatile sig_atomic_t armed;
  int fd;
  struct termios original;
  int outputFd;  // -1: output does not go to a terminal
  // What is written there, in the one of the two that is current: a handler finds it whole at any time.
  struct Undo {
    size_t size;
    char bytes[LocalTerminal::MAX_UNDO_BYTES];
  } undo[2];
  volatile sig_atomic_t current;
};
Emergency emergency{};

constexpr uint16_t MAX_CELLS = 4096;  // of terminal.capnp's WindowSize

constexpr int CRASH_SIGNALS[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

// SAFETY: async-signal-safe calls only.  Installed with SA_RESETHAND: raising it again ends the process.
void restoreAndDie(int number) {
  if (emergency.armed) {
    auto& undo = emergency.undo[emergency.current];
    pollfd output{.fd = emergency.outputFd, .events = POLLOUT, .revents = 0};
    // A terminal that is held back must not hold back the end.
    if (poll(&output, 1, 0) == 1 && (output.revents & POLLOUT) != 0) {
      [[maybe_unused]] auto written = write(emergency.outputFd, undo.bytes, undo.size);
    }
    tcsetattr(emergency.fd, TCSANOW, &emergency.original);
  }
  raise(number);
}

void setCrashHandlers(void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER);
  for (int number : CRASH_SIGNALS) KJ_SYSCALL(sigaction(number, &action, nullptr));
}

}  // namespace

class RawTerminal::RawMode final {
public:
  explicit RawMode(RawTerminal& terminal) : terminal(terminal) {
    KJ_SYSCALL(tcgetattr(terminal.inputFd, &original));
    emergency.fd = terminal.inputFd;
    emergency.original = original;
    emergency.outputFd = isatty(terminal.outputFd) ? terminal.outputFd : -1;
    terminal.undoAtCrash("");
    emergency.armed = 1;
    setCrashHandlers(restoreAndDie);
    terminal.rawMode = *this;
    apply();
  }
  ~RawMode() noexcept {
    // TCSADRAIN: what was written is shown before the mode changes.  Fails when the terminal is gone.
    tcsetattr(terminal.inputFd, TCSADRAIN, &original);
    emergency.armed = 0;
    terminal.rawMode = nullptr;
  }
  KJ_DISALLOW_COPY_AND_MOVE(RawMode);

  void apply() {
    struct termios raw = original;
    cfmakeraw(&raw);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    KJ_SYSCALL(tcsetattr(terminal.inputFd, TCSADRAIN, &raw));
  }

private:
  RawTerminal& terminal;
  struct termios original{};
};

RawTerminal::RawTerminal(kj::UnixEventPort& port, int inputFd, int outputFd)
    : port(port), inputFd(inputFd), outputFd(outputFd) {}

void RawTerminal::captureSignals() {
  kj::UnixEventPort::captureSignal(SIGWINCH);
  kj::UnixEventPort::captureSignal(SIGCONT);
}

bool RawTerminal::isInteractive() {
  return isatty(inputFd);
}

kj::Maybe<LocalTerminal::Size> RawTerminal::size() {
  struct winsize size{};
  if (ioctl(outputFd, TIOCGWINSZ, &size) < 0) return nullptr;
  // A terminal that does not know its size says 0.
  auto cells = [](uint16_t value, uint16_t fallback) {
    return value == 0 ? fallback : kj::min(value, MAX_CELLS);
  };
  return Size{cells(size.ws_col, 80), cells(size.ws_row, 24), size.ws_xpixel, size.ws_ypixel};
}

kj::Own<void> RawTerminal::enterRawMode() {
  KJ_REQUIRE(rawMode == nullptr, "raw mode was entered already");
  return kj::heap<RawMode>(*this);
}

void RawTerminal::undoAtCrash(kj::StringPtr sequence) {
  const sig_atomic_t next = 1 - emergency.current;
  auto& undo = emergency.undo[next];
  undo.size = sequence.size() > MAX_UNDO_BYTES ? 0 : sequence.size();
  memcpy(undo.bytes, sequence.begin(), undo.size);
  std::atomic_signal_fence(std::memory_order_release);
  emergency.current = next;
}

kj::Promise<void> RawTerminal::onResize() {
  auto continued = [](kj::UnixEventPort& port) -> kj::Promise<void> {
    co_await port.onSignal(SIGCONT);
  };
  auto resized = [](kj::UnixEventPort& port) -> kj::Promise<void> {
    co_await port.onSignal(SIGWINCH);
  };
  co_await resized(port).exclusiveJoin(continued(port));
  // A shell that continues a stopped process gives it a terminal in its own mode.
  KJ_IF_MAYBE (mode, rawMode) mode->apply();
}

}  // namespace bothy
