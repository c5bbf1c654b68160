#include "wire/vsock-stream.h"

#include <poll.h>
#include <sys/socket.h>
// After <sys/socket.h>, which it needs.
#include <linux/vm_sockets.h>

namespace bothy {
namespace {

// Of the kernel's own receive buffers (VIRTIO_VSOCK_DEFAULT_RX_BUF_SIZE).
constexpr size_t PACKET_BYTES = 4 * 1024;

size_t partOf(size_t bytes) {
  return kj::min(bytes, MAX_VSOCK_READ_BYTES);
}

// 0: nothing, or the stream's end, or a failure, which the next read that waits will tell.
size_t takeWhatIsThere(kj::AsyncIoStream& socket, kj::byte* buffer, size_t bytes) {
  KJ_IF_MAYBE (fd, socket.getFd()) {
    return static_cast<size_t>(kj::max(::recv(*fd, buffer, bytes, MSG_DONTWAIT), 0));
  }
  return 0;
}

}  // namespace

VsockStream::VsockStream(kj::Own<kj::AsyncIoStream> socket) : socket(kj::mv(socket)) {}

VsockStream::~VsockStream() noexcept(false) {}

kj::Promise<size_t> VsockStream::tryRead(void* buffer, size_t minBytes, size_t maxBytes) {
  if (minBytes <= PACKET_BYTES) {
    return readLittle(static_cast<kj::byte*>(buffer), minBytes, maxBytes);
  }
  if (isToEnlarge) {
    isToEnlarge = false;
    growBuffer(BULK_VSOCK_BUFFER_BYTES - VSOCK_BUFFER_BYTES);
  }
  wakeAt(kj::min(minBytes, MAX_WAKE_BYTES));
  return readMuch(static_cast<kj::byte*>(buffer), minBytes, maxBytes, 0);
}

// While large messages follow each other without a pause, nothing wakes us, and nothing is told to the kernel either.
kj::Promise<size_t> VsockStream::readLittle(kj::byte* buffer, size_t minBytes, size_t maxBytes) {
  const size_t have = wakeBytes > 1 ? takeWhatIsThere(*socket, buffer, maxBytes) : 0;
  if (have >= minBytes) return have;
  wakeAt(1);
  auto rest = socket->tryRead(buffer + have, minBytes - have, maxBytes - have);
  if (have == 0) return rest;
  return rest.then([have](size_t bytes) { return have + bytes; });
}

// What is there already is taken without a turn of the event loop for each part, which costs as much as the part does.
kj::Promise<size_t> VsockStream::readMuch(kj::byte* buffer, size_t minBytes, size_t maxBytes,
                                          size_t have) {
  for (kj::uint reads = 0; have < minBytes; ++reads) {
    auto held = waitForPart(have);
    KJ_IF_MAYBE (room, held) {
      return room->then([this, buffer, minBytes, maxBytes, have]() {
        return readPart(buffer, minBytes, maxBytes, have);
      });
    }
    if (reads == TURN_VSOCK_READS) return readPart(buffer, minBytes, maxBytes, have);
    auto bytes = takeWhatIsThere(*socket, buffer + have, partOf(maxBytes - have));
    if (bytes == 0) return readPart(buffer, minBytes, maxBytes, have);
    have += bytes;
  }
  return have;
}

// A part, for which it waits where there is none.
kj::Promise<size_t> VsockStream::readPart(kj::byte* buffer, size_t minBytes, size_t maxBytes,
                                          size_t have) {
  // Never for more than is sure to come: what follows may be long in coming.
  wakeAt(kj::min(minBytes - have, MAX_WAKE_BYTES));
  return socket->tryRead(buffer + have, 1, partOf(maxBytes - have))
      .then([this, buffer, minBytes, maxBytes, have](size_t bytes) -> kj::Promise<size_t> {
        if (bytes == 0) return have;
        return readMuch(buffer, minBytes, maxBytes, have + bytes);
      });
}

void VsockStream::wakeAt(size_t bytes) {
  if (bytes == wakeBytes) return;
  int value = static_cast<int>(bytes);
  KJ_IF_MAYBE (fd, socket->getFd()) {
    // A kernel that refuses wakes more often, no more.
    if (::setsockopt(*fd, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof(value)) == 0) wakeBytes = bytes;
  }
}

kj::Promise<void> VsockStream::write(const void* buffer, size_t size) {
  return socket->write(buffer, size);
}

kj::Promise<void> VsockStream::write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) {
  return socket->write(pieces);
}

kj::Promise<void> VsockStream::whenWriteDisconnected() {
  return socket->whenWriteDisconnected();
}

bool VsockStream::hasPeerEnded() {
  return bothy::hasPeerEnded(*socket);
}

bool hasPeerEnded(kj::AsyncIoStream& stream) {
  KJ_IF_MAYBE (fd, stream.getFd()) {
    pollfd asked = {*fd, POLLRDHUP, 0};
    return ::poll(&asked, 1, 0) > 0;
  }
  return false;
}

void VsockStream::sendCreditUpdate() {
  // The kernel tells a size that changed.
  growBuffer(1);
}

// It only grows: a smaller one may be less than what is on its way.
void VsockStream::growBuffer(uint64_t by) {
  KJ_IF_MAYBE (fd, socket->getFd()) {
    uint64_t bytes = 0;
    socklen_t length = sizeof(bytes);
    if (::getsockopt(*fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &bytes, &length) < 0) return;
    bytes += by;
    ::setsockopt(*fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &bytes, sizeof(bytes));
  }
}

void VsockStream::shutdownWrite() {
  socket->shutdownWrite();
}

void VsockStream::abortRead() {
  socket->abortRead();
}

void VsockStream::getsockopt(int level, int option, void* value, kj::uint* length) {
  socket->getsockopt(level, option, value, length);
}

void VsockStream::setsockopt(int level, int option, const void* value, kj::uint length) {
  socket->setsockopt(level, option, value, length);
}

void VsockStream::getsockname(struct sockaddr* addr, kj::uint* length) {
  socket->getsockname(addr, length);
}

void VsockStream::getpeername(struct sockaddr* addr, kj::uint* length) {
  socket->getpeername(addr, length);
}

kj::Maybe<int> VsockStream::getFd() const {
  return socket->getFd();
}

bool enlargeVsockBuffer(int fd) {
  uint64_t bytes = VSOCK_BUFFER_BYTES;
  uint64_t maximum = BULK_VSOCK_BUFFER_BYTES + VSOCK_BUFFER_GROWTH_BYTES;
  // The maximum first: the size is clamped to it.
  return ::setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_MAX_SIZE, &maximum, sizeof(maximum)) ==
             0 &&
         ::setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &bytes, sizeof(bytes)) == 0;
}

}  // namespace bothy
