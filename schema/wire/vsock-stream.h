#pragma once

#include <kj/async-io.h>

namespace bothy {

// Largest write(2) on a vsock, in bytes: vhost-device-vsock 0.3.0 drops packets above it that come from
// a kernel >= 6.12, and the stream then hangs.
constexpr size_t MAX_VSOCK_WRITE_BYTES = 32 * 1024;

// What the peer may have in flight to us, in bytes.  The kernel's 256 KiB costs throughput, and Linux >=
// 6.12.92 resets a stream in which many small packets queue below a small buffer.
constexpr uint64_t VSOCK_BUFFER_BYTES = 8 * 1024 * 1024;

// What Cap'n Proto keeps in flight of one `-> stream` sequence, in bytes: four chunks of
// PREFERRED_CHUNK_BYTES.  Bounds what one slow receiver can make a sender hold.
constexpr kj::uint STREAM_WINDOW_BYTES = 1024 * 1024;

// A byte stream over a connected AF_VSOCK socket (or, on the host, over the Unix socket that stands for
// one), with what a vsock needs: no write is longer than MAX_VSOCK_WRITE_BYTES, and the pieces of one
// gathered write travel in as few packets as that allows.
//
// SO_SNDBUF reads as STREAM_WINDOW_BYTES: a vsock does not use the kernel's value, and Cap'n Proto takes
// the option for its flow-control window.  Everything else passes through.
class VsockStream final: public kj::AsyncIoStream {
public:
  explicit VsockStream(kj::Own<kj::AsyncIoStream> socket);
  ~VsockStream() noexcept(false);

  kj::Promise<size_t> tryRead(void* buffer, size_t minBytes, size_t maxBytes) override;
  // Only one write may be under way at a time, as with every KJ stream.
  kj::Promise<void> write(const void* buffer, size_t size) override;
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override;
  kj::Promise<void> whenWriteDisconnected() override;

  void shutdownWrite() override;
  void abortRead() override;
  void getsockopt(int level, int option, void* value, kj::uint* length) override;
  void setsockopt(int level, int option, const void* value, kj::uint length) override;
  void getsockname(struct sockaddr* addr, kj::uint* length) override;
  void getpeername(struct sockaddr* addr, kj::uint* length) override;
  kj::Maybe<int> getFd() const override;

private:
  kj::Own<kj::AsyncIoStream> socket;
};

// Gives an AF_VSOCK socket its buffer.  On a listening socket, accepted ones inherit it.  False if the
// kernel refuses.
bool enlargeVsockBuffer(int fd);

}  // namespace bothy
