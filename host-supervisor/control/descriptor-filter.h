#pragma once

#include <kj/async-io.h>

#include "loop/shared-fd.h"

namespace bothy {

// A Unix socket whose peer is not trusted: what descriptors it sends are taken from the kernel, and closed by a FarCloser, as is
// the socket itself with those that were not read.  The kernel would close them in the read that leaves them, which
// lasts as long as their sender likes.
class DescriptorFilter final: public kj::AsyncCapabilityStream {
public:
  explicit DescriptorFilter(kj::Own<kj::AsyncCapabilityStream> stream);
  ~DescriptorFilter() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(DescriptorFilter);

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
  kj::Own<kj::AsyncCapabilityStream> stream;
  kj::Array<kj::AutoCloseFd> space;  // for what a read brings
};

}  // namespace bothy
