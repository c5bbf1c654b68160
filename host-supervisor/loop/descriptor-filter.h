#pragma once

#include <kj/async-io.h>
#include <kj/function.h>

#include "loop/shared-fd.h"

namespace bothy {

// A Unix socket whose peer is not trusted, and is to send no descriptors.  The first that comes ends what is read: every read fails from then on.
// It is taken from the kernel and closed by a FarCloser, as is the socket itself with those that were not read: the kernel
// would close them in the read that leaves them, which lasts as long as their sender likes.
class DescriptorFilter final: public kj::AsyncCapabilityStream {
public:
  // Of a large read, at a time.
  static constexpr size_t MAX_PIECE_BYTES = 256 * 1024;

  // `owner` is the peer's user, see FarCloser.  Where it fails, the caller still has the stream.
  DescriptorFilter(kj::Own<kj::AsyncCapabilityStream>&& stream, uid_t owner);
  ~DescriptorFilter() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(DescriptorFilter);

  // Before anything is read: the peer's user counts as this one.
  void setOwner(uid_t user);
  // `untilRoom` is called before a large read goes on, with what of it has come.
  void slowReads(kj::Function<kj::Promise<void>(size_t)> untilRoom) {
    this->untilRoom = kj::mv(untilRoom);
  }
  // `listener` is called whenever bytes have come.
  void notifyRead(kj::Function<void()> listener) { readListener = kj::mv(listener); }
  // Reads fail with it, also one that is under way.  The first exception counts.
  void failReads(kj::Exception&& why);

  kj::Promise<size_t> tryRead(void* buffer, size_t minBytes, size_t maxBytes) override;
  // Never any.
  kj::Promise<ReadResult> tryReadWithFds(void* buffer, size_t minBytes, size_t maxBytes,
                                         kj::AutoCloseFd* fdBuffer, size_t maxFds) override;
  kj::Promise<ReadResult> tryReadWithStreams(void* buffer, size_t minBytes, size_t maxBytes,
                                             kj::Own<AsyncCapabilityStream>* streamBuffer,
                                             size_t maxStreams) override;

  kj::Promise<void> write(const void* buffer, size_t size) override {
    return stream->write(buffer, size);
  }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
    return stream->write(pieces);
  }
  kj::Promise<void> writeWithFds(kj::ArrayPtr<const kj::byte> data,
                                 kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> moreData,
                                 kj::ArrayPtr<const int> fds) override {
    return stream->writeWithFds(data, moreData, fds);
  }
  kj::Promise<void> writeWithStreams(kj::ArrayPtr<const kj::byte> data,
                                     kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> moreData,
                                     kj::Array<kj::Own<AsyncCapabilityStream>> streams) override {
    return stream->writeWithStreams(data, moreData, kj::mv(streams));
  }
  kj::Promise<void> whenWriteDisconnected() override { return stream->whenWriteDisconnected(); }
  void shutdownWrite() override { stream->shutdownWrite(); }
  void abortRead() override { stream->abortRead(); }
  void getsockopt(int level, int option, void* value, kj::uint* length) override {
    stream->getsockopt(level, option, value, length);
  }
  void setsockopt(int level, int option, const void* value, kj::uint length) override {
    stream->setsockopt(level, option, value, length);
  }
  kj::Maybe<int> getFd() const override { return stream->getFd(); }

private:
  kj::Maybe<SharedFd> socket;  // closed after the stream's
  uid_t owner;
  kj::Own<kj::AsyncCapabilityStream> stream;
  kj::Array<kj::AutoCloseFd> space;  // for what a read brings
  kj::Maybe<kj::Exception> failure;
  kj::Function<kj::Promise<void>(size_t)> untilRoom = [](size_t) -> kj::Promise<void> {
    return kj::READY_NOW;
  };
  kj::Function<void()> readListener = []() {};
  kj::Canceler waits;  // for room
};

}  // namespace bothy
