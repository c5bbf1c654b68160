#include "support/local-terminal.h"

#include <kj/debug.h>
#include <kj/vector.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bothy {

LocalTerminal::LocalTerminal(kj::ArrayPtr<const kj::StringPtr> argv, uint16_t columns,
                             uint16_t rows)
    : screen(columns, rows) {
  kj::Vector<char*> arguments;
  for (auto word : argv) arguments.add(const_cast<char*>(word.cStr()));
  arguments.add(nullptr);
  struct winsize size = {rows, columns, 0, 0};
  int fd;
  KJ_SYSCALL(program = forkpty(&fd, nullptr, nullptr, &size));
  if (program == 0) {
    // SAFETY: this test program has one thread; nothing but exec follows.
    execv(arguments[0], arguments.begin());
    _exit(127);
  }
  master = kj::AutoCloseFd(fd);
}

LocalTerminal::~LocalTerminal() noexcept(false) {
  if (program != -1) {
    kill(program, SIGKILL);
    int status;
    waitpid(program, &status, 0);
  }
}

void LocalTerminal::type(kj::StringPtr text) {
  kj::FdOutputStream(master.get()).write(text.begin(), text.size());
}

void LocalTerminal::resize(uint16_t columns, uint16_t rows) {
  screen.resize(columns, rows);
  struct winsize size = {rows, columns, 0, 0};
  KJ_SYSCALL(ioctl(master, TIOCSWINSZ, &size));
}

bool LocalTerminal::pump(kj::StringPtr waitingFor) {
  struct pollfd ready = {master, POLLIN, 0};
  int count;
  KJ_SYSCALL(count = poll(&ready, 1, LIMIT_MILLIS));
  KJ_REQUIRE(count == 1, "waited in vain", waitingFor, screen.text());
  kj::byte buffer[16 * 1024];
  ssize_t n = read(master, buffer, sizeof(buffer));
  // A pseudo-terminal whose other side is closed says EIO where a pipe has its end.
  if (n <= 0) return false;
  screen.feed(kj::arrayPtr(buffer, n));
  return true;
}

void LocalTerminal::waitForText(kj::StringPtr text) {
  while (strstr(screen.text().cStr(), text.cStr()) == nullptr) {
    KJ_REQUIRE(pump(text), "the program ended", text, screen.text());
  }
}

int LocalTerminal::waitForExit() {
  while (pump("the end")) {
  }
  int status;
  KJ_SYSCALL(waitpid(program, &status, 0));
  program = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace bothy
