#include "wire/byte-tail.h"

#include <string.h>

#include <kj/debug.h>

namespace bothy {

namespace {

// Calls `f(offset in the ring, offset in the data, size)` for the one or two pieces that `size` bytes
// from `sequence` on are in.
template <typename Func>
void forPieces(size_t ringSize, uint64_t sequence, size_t size, Func&& f) {
  size_t start = sequence & (ringSize - 1);
  size_t first = kj::min(size, ringSize - start);
  if (first > 0) f(start, size_t(0), first);
  if (size > first) f(size_t(0), first, size - first);
}

bool isCapacity(size_t bytes) {
  return bytes >= ByteTail::LEAST_BYTES && (bytes & (bytes - 1)) == 0;
}

}  // namespace

ByteTail::ByteTail(size_t capacity) : capacity(capacity) {
  KJ_REQUIRE(isCapacity(capacity), capacity);
}

void ByteTail::append(kj::ArrayPtr<const kj::byte> data) {
  resize(kj::min(sizeWith(data.size()), capacity));
  if (data.size() > ring.size()) {
    last += data.size() - ring.size();
    data = data.slice(data.size() - ring.size(), data.size());
  }
  forPieces(ring.size(), last, data.size(), [&](size_t to, size_t from, size_t size) {
    memcpy(ring.begin() + to, data.begin() + from, size);
  });
  last += data.size();
  first = kj::max(first, last - kj::min(last, uint64_t(ring.size())));
}

void ByteTail::copy(uint64_t sequence, kj::ArrayPtr<kj::byte> target) const {
  KJ_REQUIRE(sequence >= begin() && sequence + target.size() <= end());
  if (target.size() == 0) return;
  forPieces(ring.size(), sequence, target.size(), [&](size_t from, size_t to, size_t size) {
    memcpy(target.begin() + to, ring.begin() + from, size);
  });
}

size_t ByteTail::sizeWith(size_t bytes) const {
  const uint64_t needed = last - first + bytes;
  size_t result = kj::max(ring.size(), LEAST_BYTES);
  while (result < needed) result *= 2;
  return result;
}

void ByteTail::limit(size_t bytes) {
  KJ_REQUIRE(isCapacity(bytes), bytes);
  capacity = bytes;
  if (ring.size() > capacity) resize(capacity);
}

void ByteTail::resize(size_t bytes) {
  if (bytes == ring.size()) return;
  auto other = kj::heapArray<kj::byte>(bytes);
  first = kj::max(first, last - kj::min(last, uint64_t(bytes)));
  forPieces(bytes, first, last - first, [&](size_t to, size_t from, size_t size) {
    copy(first + from, other.slice(to, to + size));
  });
  ring = kj::mv(other);
}

}  // namespace bothy
