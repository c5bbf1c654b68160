#include "console/standard-stream.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>

#include "console/failure.h"

namespace bothy {
namespace {

using FdObserver = kj::UnixEventPort::FdObserver;

// epoll refuses regular files and some devices (EPERM): those never block.
bool canBlock(int fd) {
  struct stat status;
  KJ_SYSCALL(fstat(fd, &status));
  return S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) || isatty(fd);
}

kj::Maybe<kj::Own<FdObserver>> observe(kj::UnixEventPort& port, int fd, kj::uint flags) {
  if (!canBlock(fd)) return nullptr;
  return kj::heap<FdObserver>(port, fd, flags);
}

// Hang-ups and errors count as ready: the call that follows tells of them.
bool isReady(int fd, short events) {
  struct pollfd entry{.fd = fd, .events = events, .revents = 0};
  int count;
  KJ_SYSCALL(count = poll(&entry, 1, 0));
  return count > 0;
}

// EIO is that of a terminal that hung up, which answers every question with it, or of a disk.
bool isHungUp(int fd, int error) {
  return error == EIO && (isatty(fd) == 1 || errno == EIO);
}

bool isClosed(int fd, int error) {
  return error == EPIPE || error == ECONNRESET || isHungUp(fd, error);
}

kj::Exception cannotWrite(int fd, int error) {
  if (isClosed(fd, error)) return outputClosed();
  return failure(kj::str("cannot write standard ", fd == STDERR_FILENO ? "error" : "output", ": ",
                         strerror(error)));
}

// EBADF: the caller has closed it (what stands in its place is not for reading).
kj::Exception cannotRead(int error) {
  if (error == EBADF) return inputClosed();
  return failure(kj::str("cannot read standard input: ", strerror(error)));
}

}  // namespace

StandardInput::StandardInput(kj::UnixEventPort& port, int fd)
    : fd(fd), observer(observe(port, fd, FdObserver::OBSERVE_READ)) {}

kj::Promise<void> StandardInput::whenReadable() {
  KJ_IF_MAYBE (o, observer) {
    // The observer is edge-triggered, so the state is asked for before and after each wait.
    while (!isReady(fd, POLLIN)) co_await (*o)->whenBecomesReadable();
  }
}

kj::Promise<size_t> StandardInput::tryRead(void* buffer, size_t minBytes, size_t maxBytes) {
  auto bytes = static_cast<kj::byte*>(buffer);
  size_t total = 0;
  while (total < minBytes) {
    co_await whenReadable();
    ssize_t count = ::read(fd, bytes + total, maxBytes - total);
    const int error = count < 0 ? errno : 0;
    if (count > 0) {
      total += static_cast<size_t>(count);
    } else if (count == 0 || isHungUp(fd, error)) {
      break;
    } else if (error != EAGAIN && error != EINTR) {
      // Else somebody else read it first, or made the file non-blocking.
      kj::throwFatalException(cannotRead(error));
    }
  }
  co_return total;
}

void MessageOutput::write(const void* buffer, size_t size) {
  auto bytes = kj::arrayPtr(static_cast<const kj::byte*>(buffer), size);
  while (bytes.size() > 0) {
    ssize_t count = ::write(fd, bytes.begin(), bytes.size());
    if (count >= 0) {
      bytes = bytes.slice(static_cast<size_t>(count), bytes.size());
    } else if (errno == EAGAIN) {
      struct pollfd state = {fd, POLLOUT, 0};
      poll(&state, 1, -1);
    } else if (errno != EINTR) {
      kj::throwFatalException(cannotWrite(fd, errno));
    }
  }
}

StandardOutput::StandardOutput(kj::UnixEventPort& port, int fd)
    : fd(fd), observer(observe(port, fd, FdObserver::OBSERVE_WRITE)) {}

kj::Promise<void> StandardOutput::whenWritable() {
  KJ_IF_MAYBE (o, observer) {
    while (!isReady(fd, POLLOUT)) co_await (*o)->whenBecomesWritable();
  }
}

kj::Promise<void> StandardOutput::write(const void* buffer, size_t size) {
  auto bytes = kj::arrayPtr(static_cast<const kj::byte*>(buffer), size);
  while (bytes.size() > 0) {
    co_await whenWritable();
    // A pipe that is writable takes PIPE_BUF bytes without blocking (pipe(7)).
    size_t piece = observer == nullptr ? bytes.size() : kj::min(bytes.size(), size_t{PIPE_BUF});
    ssize_t count = ::write(fd, bytes.begin(), piece);
    if (count >= 0) {
      bytes = bytes.slice(static_cast<size_t>(count), bytes.size());
    } else if (errno != EAGAIN && errno != EINTR) {
      kj::throwFatalException(cannotWrite(fd, errno));
    }
  }
}

kj::Promise<void> StandardOutput::write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) {
  for (auto& piece : pieces) co_await write(piece.begin(), piece.size());
}

}  // namespace bothy
