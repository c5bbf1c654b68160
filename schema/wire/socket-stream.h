#pragma once

#include <kj/async-io.h>
#include <kj/async-unix.h>
#include <kj/io.h>

namespace bothy {

// A connected stream socket that wakes its program for writing only while a write waits.
//
// KJ's own also wakes it whenever the peer has taken what was written (an edge of EPOLLOUT, epoll(7)): one wake-up more for each
// message, which costs as much as a small message does.
//
// One read and one write may be under way at a time.  A write that waits takes one descriptor more; where there is none, it is tried
// again each WRITE_RETRY.
class SocketStream final: public kj::AsyncIoStream {
public:
  // How long a write waits that cannot be told when there is room.
  static constexpr kj::Duration WRITE_RETRY = 10 * kj::MILLISECONDS;

  // `socket` is closed on exec.  `eventPort` outlives it.
  SocketStream(kj::UnixEventPort& eventPort, kj::AutoCloseFd socket);
  ~SocketStream() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(SocketStream);

  kj::Promise<size_t> tryRead(void* buffer, size_t minBytes, size_t maxBytes) override;
  kj::Promise<void> write(const void* buffer, size_t size) override;
  // One after the other: VsockStream gathers.
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override;
  kj::Promise<void> whenWriteDisconnected() override;

  void shutdownWrite() override;
  void abortRead() override;
  void getsockopt(int level, int option, void* value, kj::uint* length) override;
  void setsockopt(int level, int option, const void* value, kj::uint length) override;
  void getsockname(struct sockaddr* addr, kj::uint* length) override;
  void getpeername(struct sockaddr* addr, kj::uint* length) override;
  kj::Maybe<int> getFd() const override { return socket.get(); }

private:
  kj::UnixEventPort& eventPort;
  kj::AutoCloseFd socket;
  kj::UnixEventPort::FdObserver readable;
  // Asked from the beginning: a hang-up that nobody asked about is not told again.
  kj::ForkedPromise<void> disconnected;

  kj::Promise<size_t> readOn(kj::byte* buffer, size_t minBytes, size_t maxBytes, size_t have);
  kj::Promise<void> whenWritable();
};

// Another descriptor of the same socket, closed on exec.
kj::AutoCloseFd duplicateSocket(int socket);

}  // namespace bothy
