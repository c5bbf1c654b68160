#include "client/byte-queue.h"

namespace bothy {

void ByteQueue::push(kj::ArrayPtr<const kj::byte> added) {
  if (added.size() == 0) return;
  bytes.insert(bytes.end(), added.begin(), added.end());
  taker.wakeAll();
}

void ByteQueue::finish() {
  finished = true;
  taker.wakeAll();
}

kj::Promise<kj::Array<kj::byte>> ByteQueue::take(size_t maxBytes) {
  while (bytes.empty() && !finished) co_await taker.wait();
  co_return takeNow(maxBytes);
}

kj::Array<kj::byte> ByteQueue::takeNow(size_t maxBytes) {
  size_t count = kj::min(maxBytes, bytes.size());
  auto result = kj::heapArray<kj::byte>(count);
  auto end = bytes.begin() + static_cast<std::ptrdiff_t>(count);
  std::copy(bytes.begin(), end, result.begin());
  bytes.erase(bytes.begin(), end);
  producer.wakeAll();
  return result;
}

kj::Promise<void> ByteQueue::whenBelow(size_t limit) {
  limit = kj::max(limit, size_t{1});
  while (bytes.size() >= limit) co_await producer.wait();
}

}  // namespace bothy
