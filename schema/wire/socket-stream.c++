#include "wire/socket-stream.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <sys/socket.h>

namespace bothy {
namespace {

using FdObserver = kj::UnixEventPort::FdObserver;

// An epoll takes a descriptor once, and that of the socket is in it for `readable`.
struct WriteWait {
  kj::AutoCloseFd copy;
  FdObserver writable;

  WriteWait(kj::UnixEventPort& eventPort, int socket)
      : copy(duplicateSocket(socket)), writable(eventPort, copy.get(), FdObserver::OBSERVE_WRITE) {}
};

}  // namespace

SocketStream::SocketStream(kj::UnixEventPort& eventPort, kj::AutoCloseFd socketParam)
    : eventPort(eventPort),
      socket(kj::mv(socketParam)),
      readable(eventPort, socket.get(), FdObserver::OBSERVE_READ),
      disconnected(readable.whenWriteDisconnected().fork()) {}

SocketStream::~SocketStream() noexcept(false) {}

kj::Promise<size_t> SocketStream::tryRead(void* buffer, size_t minBytes, size_t maxBytes) {
  return readOn(static_cast<kj::byte*>(buffer), minBytes, maxBytes, 0);
}

// Waits only when the kernel has said that there is no more: an edge that has gone by does not come again.  No coroutine: every
// message comes through here.
kj::Promise<size_t> SocketStream::readOn(kj::byte* buffer, size_t minBytes, size_t maxBytes,
                                         size_t have) {
  do {
    ssize_t count;
    KJ_NONBLOCKING_SYSCALL(count = ::recv(socket, buffer + have, maxBytes - have, MSG_DONTWAIT));
    if (count == 0) break;
    if (count < 0) {
      return readable.whenBecomesReadable().then([this, buffer, minBytes, maxBytes, have]() {
        return readOn(buffer, minBytes, maxBytes, have);
      });
    }
    have += static_cast<size_t>(count);
  } while (have < minBytes);
  return have;
}

kj::Promise<void> SocketStream::write(const void* buffer, size_t size) {
  auto next = static_cast<const kj::byte*>(buffer);
  while (size > 0) {
    ssize_t count;
    KJ_NONBLOCKING_SYSCALL(count = ::send(socket, next, size, MSG_DONTWAIT | MSG_NOSIGNAL));
    if (count < 0) return whenWritable().then([this, next, size]() { return write(next, size); });
    next += count;
    size -= static_cast<size_t>(count);
  }
  return kj::READY_NOW;
}

kj::Promise<void> SocketStream::write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) {
  for (auto piece : pieces) co_await write(piece.begin(), piece.size());
}

kj::Promise<void> SocketStream::whenWritable() {
  try {
    auto wait = kj::heap<WriteWait>(eventPort, socket.get());
    auto writable = wait->writable.whenBecomesWritable();
    return writable.attach(kj::mv(wait));
  } catch (const kj::Exception& e) {
    // No descriptor is left, or what epolls may watch (EMFILE, ENFILE, ENOSPC, ENOMEM).
    if (e.getType() != kj::Exception::Type::OVERLOADED) throw;
    return eventPort.getTimer().afterDelay(WRITE_RETRY);
  }
}

// EPOLLHUP and EPOLLERR are told without being asked for: epoll_ctl(2).
kj::Promise<void> SocketStream::whenWriteDisconnected() {
  return disconnected.addBranch();
}

void SocketStream::shutdownWrite() {
  KJ_SYSCALL(::shutdown(socket, SHUT_WR));
}

void SocketStream::abortRead() {
  KJ_SYSCALL(::shutdown(socket, SHUT_RD));
}

void SocketStream::getsockopt(int level, int option, void* value, kj::uint* length) {
  KJ_SYSCALL(::getsockopt(socket, level, option, value, length));
}

void SocketStream::setsockopt(int level, int option, const void* value, kj::uint length) {
  KJ_SYSCALL(::setsockopt(socket, level, option, value, length));
}

void SocketStream::getsockname(struct sockaddr* addr, kj::uint* length) {
  KJ_SYSCALL(::getsockname(socket, addr, length));
}

kj::AutoCloseFd duplicateSocket(int socket) {
  int fd;
  KJ_SYSCALL(fd = fcntl(socket, F_DUPFD_CLOEXEC, 0));
  return kj::AutoCloseFd(fd);
}

void SocketStream::getpeername(struct sockaddr* addr, kj::uint* length) {
  KJ_SYSCALL(::getpeername(socket, addr, length));
}

}  // namespace bothy
