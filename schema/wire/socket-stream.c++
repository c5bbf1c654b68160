#include "wire/socket-stream.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace bothy {
namespace {

using FdObserver = kj::UnixEventPort::FdObserver;
using Pieces = kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>>;

// What one call of sendmsg(2) takes of `first` and the pieces after it.
struct Packet {
  // A message has few segments, and a segment table.
  static constexpr size_t MAX_PARTS = 16;

  struct iovec parts[MAX_PARTS];
  struct msghdr message{};

  Packet(kj::ArrayPtr<const kj::byte> first, Pieces more) {
    message.msg_iov = parts;
    auto room = MAX_VSOCK_WRITE_BYTES;
    room -= add(first, room);
    for (auto piece : more) {
      if (room == 0 || message.msg_iovlen == MAX_PARTS) break;
      room -= add(piece, room);
    }
  }

private:
  size_t add(kj::ArrayPtr<const kj::byte> piece, size_t room) {
    auto bytes = kj::min(piece.size(), room);
    if (bytes > 0) parts[message.msg_iovlen++] = {const_cast<kj::byte*>(piece.begin()), bytes};
    return bytes;
  }
};

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
  return writeOn(kj::arrayPtr(static_cast<const kj::byte*>(buffer), size), nullptr);
}

kj::Promise<void> SocketStream::write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) {
  return writeOn(nullptr, pieces);
}

// No coroutine, as above.
kj::Promise<void> SocketStream::writeOn(kj::ArrayPtr<const kj::byte> piece, Pieces more) {
  while (piece.size() > 0 || more.size() > 0) {
    if (piece.size() == 0) {
      piece = more.front();
      more = more.slice(1, more.size());
      continue;
    }
    Packet packet(piece, more);
    ssize_t count;
    KJ_NONBLOCKING_SYSCALL(count = ::sendmsg(socket, &packet.message, MSG_DONTWAIT | MSG_NOSIGNAL));
    if (count < 0) {
      return whenWritable().then([this, piece, more]() { return writeOn(piece, more); });
    }
    for (auto rest = static_cast<size_t>(count); rest > 0;) {
      auto step = kj::min(rest, piece.size());
      piece = piece.slice(step, piece.size());
      rest -= step;
      if (rest == 0) break;
      piece = more.front();
      more = more.slice(1, more.size());
    }
  }
  return kj::READY_NOW;
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
