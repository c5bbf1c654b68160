#pragma once

#include <kj/async-io.h>
#include <kj/async-unix.h>
#include <kj/io.h>

namespace bothy {

// Largest write(2) on a vsock, in bytes: with its header (44) and the kernel's overhead (320) it is one piece of 32 KiB.  A larger one
// Linux >= 6.12.92 makes of pieces, as many as its free memory is broken into, and vhost-device-vsock 0.3.0 drops a packet of more than
// one: the stream then stands still.
constexpr size_t MAX_VSOCK_WRITE_BYTES = 32 * 1024 - 512;

// A connected stream socket that wakes its program for writing only while a write waits.
//
// KJ's own also wakes it whenever the peer has taken what was written (an edge of EPOLLOUT, epoll(7)): one wake-up more for each
// message, which costs as much as a small message does.
//
// It may be a vsock: no write is longer than MAX_VSOCK_WRITE_BYTES, and the pieces of one gathered write travel in as few packets as
// that allows.
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
  kj::Promise<void> writeOn(kj::ArrayPtr<const kj::byte> piece,
                            kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> more);
  kj::Promise<void> whenWritable();
};

// Another descriptor of the same socket, closed on exec.
kj::AutoCloseFd duplicateSocket(int socket);

}  // namespace bothy
