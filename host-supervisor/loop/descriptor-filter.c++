#include "loop/descriptor-filter.h"

#include <kj/debug.h>

namespace bothy {
namespace {

// Of one message: SCM_MAX_FD of Linux.
constexpr size_t MOST_DESCRIPTORS = 253;

// Up to it a read is taken in one piece.
constexpr size_t SMALL_READ_BYTES = 4 * 1024;

// None of a stream that is no socket, in a test.
kj::Maybe<SharedFd> copyOf(kj::AsyncIoStream& stream, uid_t owner) {
  KJ_IF_MAYBE (fd, stream.getFd()) return SharedFd::duplicateOf(*fd, owner);
  return nullptr;
}

}  // namespace

DescriptorFilter::DescriptorFilter(kj::Own<kj::AsyncCapabilityStream>&& streamParam, uid_t owner)
    : socket(copyOf(*streamParam, owner)),
      owner(owner),
      stream(kj::mv(streamParam)),
      space(kj::heapArray<kj::AutoCloseFd>(MOST_DESCRIPTORS)) {}

DescriptorFilter::~DescriptorFilter() noexcept(false) {}

void DescriptorFilter::setOwner(uid_t user) {
  owner = user;
  KJ_IF_MAYBE (fd, socket) fd->setOwner(user);
}

void DescriptorFilter::failReads(kj::Exception&& why) {
  if (failure != nullptr) return;
  waits.cancel(kj::cp(why));
  failure = kj::mv(why);
  // A read that is under way comes to its end.
  stream->abortRead();
}

kj::Promise<size_t> DescriptorFilter::tryRead(void* buffer, size_t minBytes, size_t maxBytes) {
  auto bytes = reinterpret_cast<kj::byte*>(buffer);
  const bool isLarge = minBytes > SMALL_READ_BYTES;
  size_t have = 0;
  do {
    KJ_IF_MAYBE (why, failure) kj::throwFatalException(kj::cp(*why));
    auto most = maxBytes - have;
    if (isLarge) {
      co_await waits.wrap(untilRoom(have));
      most = kj::min(most, MAX_PIECE_BYTES);
    }
    // One read of the kernel's: it brings the descriptors of one message at most.
    auto result =
        co_await stream->tryReadWithFds(bytes + have, 1, most, space.begin(), space.size());
    for (auto& fd : space.slice(0, result.capCount)) SharedFd unwanted(kj::mv(fd), owner);
    if (result.capCount > 0) {
      failReads(KJ_EXCEPTION(FAILED, "the peer sent a file descriptor, and none is taken here"));
    }
    KJ_IF_MAYBE (why, failure) kj::throwFatalException(kj::cp(*why));
    if (result.byteCount == 0) break;
    readListener();
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
