#pragma once

#include <kj/async-io.h>
#include <kj/function.h>

namespace bothy {

// What the peer may have in flight to us, in bytes.  The kernel's 256 KiB costs throughput, and Linux >=
// 6.12.92 resets a stream in which many small packets queue below a small buffer.
constexpr uint64_t VSOCK_BUFFER_BYTES = 1 * 1024 * 1024;

// The same for bulk data, which some streams may have.
constexpr uint64_t BULK_VSOCK_BUFFER_BYTES = 8 * 1024 * 1024;

// What sendCreditUpdate() may add to the buffer in all, in bytes, one byte a call.
constexpr uint64_t VSOCK_BUFFER_GROWTH_BYTES = 8 * 1024 * 1024;

// How much must have come before a reader that waits for a large message is woken, in bytes, at most.
// A guest's kernel receives packets of less than 4 KiB (3,776 bytes as of Linux 6.12), and a wake-up for each costs more than its bytes.
constexpr size_t MAX_WAKE_BYTES = 64 * 1024;

// Of a large message, what is read at once, in bytes, at most; and so many times in one turn of the event loop, while there is more.
constexpr size_t MAX_VSOCK_READ_BYTES = 256 * 1024;
constexpr kj::uint TURN_VSOCK_READS = 4;

// A byte stream over a connected AF_VSOCK socket (or, on the host, over the Unix socket that stands for
// one), with what a vsock needs: a read that needs much sleeps until much is there (SO_RCVLOWAT, socket(7)).
// Writes are those of `socket`, which outside of tests is a SocketStream.
class VsockStream final: public kj::AsyncIoStream {
public:
  explicit VsockStream(kj::Own<kj::AsyncIoStream> socket);
  ~VsockStream() noexcept(false);

  kj::Promise<size_t> tryRead(void* buffer, size_t minBytes, size_t maxBytes) override;
  // Only one write may be under way at a time, as with every KJ stream.
  kj::Promise<void> write(const void* buffer, size_t size) override;
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override;
  kj::Promise<void> whenWriteDisconnected() override;

  // Is called before a large read goes on, with what of it has come.  None: it goes on at once.
  void slowReads(kj::Function<kj::Maybe<kj::Promise<void>>(size_t)> waitForPart) {
    this->waitForPart = kj::mv(waitForPart);
  }

  // See hasPeerEnded() of a stream.
  bool hasPeerEnded();

  // Gives it BULK_VSOCK_BUFFER_BYTES when the first large read comes: to tell the peer costs a packet, which a lane
  // on which no bulk comes need not send.  Nothing on other sockets.
  void enlargeBufferForBulk() { isToEnlarge = true; }

  // Sends the peer a credit update (virtio 1.2, 5.10.6.3), which a live peer takes without a trace.
  // vhost-device-vsock 0.3.0 stops looking at a host program's socket when that was closed with bytes unread, and
  // never tells the guest: it looks again, and ends the stream, when an update comes.  Nothing on other sockets.
  void sendCreditUpdate();

  void shutdownWrite() override;
  void abortRead() override;
  void getsockopt(int level, int option, void* value, kj::uint* length) override;
  void setsockopt(int level, int option, const void* value, kj::uint length) override;
  void getsockname(struct sockaddr* addr, kj::uint* length) override;
  void getpeername(struct sockaddr* addr, kj::uint* length) override;
  kj::Maybe<int> getFd() const override;

private:
  kj::Own<kj::AsyncIoStream> socket;
  size_t wakeBytes = 1;
  bool isToEnlarge = false;
  kj::Function<kj::Maybe<kj::Promise<void>>(size_t)> waitForPart =
      [](size_t) -> kj::Maybe<kj::Promise<void>> { return nullptr; };

  kj::Promise<size_t> readLittle(kj::byte* buffer, size_t minBytes, size_t maxBytes);
  kj::Promise<size_t> readMuch(kj::byte* buffer, size_t minBytes, size_t maxBytes, size_t have);
  kj::Promise<size_t> readPart(kj::byte* buffer, size_t minBytes, size_t maxBytes, size_t have);
  void wakeAt(size_t bytes);
  void growBuffer(uint64_t by);
};

// Gives a listening AF_VSOCK socket VSOCK_BUFFER_BYTES, which accepted ones inherit.  False if the kernel
// refuses.
bool enlargeVsockBuffer(int fd);

// Whether nothing more can come from the peer of a socket, at this moment: what the loop tells comes a turn later, and
// whenWriteDisconnected() does not tell where the peer's close is neither a hang-up nor a failure, as of a vsock.
bool hasPeerEnded(kj::AsyncIoStream& stream);

}  // namespace bothy
