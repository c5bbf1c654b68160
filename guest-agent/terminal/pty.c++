#include "terminal/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <kj/debug.h>

namespace bothy {

namespace {

constexpr mode_t PROGRAM_SIDE_MODE = 0620;  // as login(1) leaves a terminal

kj::AutoCloseFd openMaster() {
  int fd;
  KJ_SYSCALL(fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  kj::AutoCloseFd result(fd);
  int locked = 0;
  KJ_SYSCALL(ioctl(fd, TIOCSPTLCK, &locked));
  return result;
}

}  // namespace

Pty::Pty(kj::UnixEventPort& eventPort, WindowSize size) : master(openMaster()) {
  observer.emplace(eventPort, master.get(), kj::UnixEventPort::FdObserver::OBSERVE_READ_WRITE);
  resize(size);
}

Pty::~Pty() noexcept(false) {
  observer = nullptr;
  Touch touch(owner);
  master = nullptr;
}

kj::AutoCloseFd Pty::openProgramSide(kj::Maybe<uid_t> uid) {
  int fd;
  KJ_SYSCALL(fd = ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  kj::AutoCloseFd result(fd);
  KJ_IF_MAYBE (owner, uid) {
    KJ_SYSCALL(fchown(fd, *owner, -1));
    KJ_SYSCALL(fchmod(fd, PROGRAM_SIDE_MODE));
  }
  struct termios settings;
  KJ_SYSCALL(tcgetattr(fd, &settings));
  settings.c_iflag |= IUTF8;  // erase takes a character, not a byte
  KJ_SYSCALL(tcsetattr(fd, TCSANOW, &settings));
  return result;
}

void Pty::resize(WindowSize size) {
  struct winsize value = {size.rows, size.columns, size.widthPixels, size.heightPixels};
  Touch touch(owner);
  KJ_SYSCALL(ioctl(master.get(), TIOCSWINSZ, &value));
}

bool Pty::signal(int number) {
  pid_t group = 0;
  Touch touch(owner);
  return ioctl(master.get(), TIOCGPGRP, &group) == 0 && group > 1 && killpg(group, number) == 0;
}

Pty::ReadResult Pty::read(kj::ArrayPtr<kj::byte> buffer) {
  Touch touch(owner);
  for (;;) {
    ssize_t n = ::read(master.get(), buffer.begin(), buffer.size());
    if (n > 0) return {ReadState::DATA, static_cast<size_t>(n)};
    if (n == 0 || errno == EIO) return {ReadState::CLOSED};
    if (errno == EAGAIN) return {ReadState::EMPTY};
    if (errno != EINTR) KJ_FAIL_SYSCALL("read", errno);
  }
}

kj::Maybe<size_t> Pty::write(kj::ArrayPtr<const kj::byte> data) {
  Touch touch(owner);
  for (;;) {
    ssize_t n = ::write(master.get(), data.begin(), data.size());
    if (n >= 0) return static_cast<size_t>(n);
    if (errno == EAGAIN) return size_t(0);
    if (errno == EIO) return nullptr;
    if (errno != EINTR) KJ_FAIL_SYSCALL("write", errno);
  }
}

}  // namespace bothy
