#include "control/descriptor-filter.h"

#include <kj/debug.h>

namespace bothy {
namespace {

// Of one message: SCM_MAX_FD of Linux.
constexpr size_t MOST_DESCRIPTORS = 253;

// None of a stream that is no socket, in a test.
kj::Maybe<SharedFd> copyOf(kj::AsyncIoStream& stream) {
  KJ_IF_MAYBE (fd, stream.getFd()) return SharedFd::duplicateOf(*fd);
  return nullptr;
}

}  // namespace

DescriptorFilter::DescriptorFilter(kj::Own<kj::AsyncCapabilityStream> streamParam)
    : socket(copyOf(*streamParam)),
      stream(kj::mv(streamParam)),
      space(kj::heapArray<kj::AutoCloseFd>(MOST_DESCRIPTORS)) {}

DescriptorFilter::~DescriptorFilter() noexcept(false) {}

kj::Promise<size_t> DescriptorFilter::tryRead(void* buffer, size_t minBytes, size_t maxBytes) {
  auto bytes = reinterpret_cast<kj::byte*>(buffer);
  size_t have = 0;
  do {
    // One read of the kernel's: it brings the descriptors of one message at most.
    auto result = co_await stream->tryReadWithFds(bytes + have, 1, maxBytes - have, space.begin(),
                                                  space.size());
    for (auto& fd : space.slice(0, result.capCount)) SharedFd unwanted(kj::mv(fd));
    if (result.byteCount == 0) break;
    have += result.byteCount;
  } while (have < minBytes);
  co_return have;
}

kj::Promise<kj::AsyncCapabilityStream::ReadResult> DescriptorFilter::tryReadWithFds(
    void* buffer, size_t minBytes, size_t maxBytes, kj::AutoCloseFd*, size_t) {
  co_return ReadResult{co_await tryRead(buffer, minBytes, maxBytes), 0};
}

kj::Promise<kj::AsyncCapabilityStream::ReadResult> DescriptorFilter::tryReadWithStreams(
    void* buffer, size_t minBytes, size_t maxBytes, kj::Own<AsyncCapabilityStream>*, size_t) {
  co_return ReadResult{co_await tryRead(buffer, minBytes, maxBytes), 0};
}

}  // namespace bothy
