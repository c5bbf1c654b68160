#include "wire/byte-tail.h"

#include <string.h>

#include <kj/debug.h>

namespace bothy {

namespace {

constexpr size_t FIRST_RING_BYTES = 4096;

// Calls `f(offset in the ring, offset in the data, size)` for the one or two pieces that `size` bytes
// from `sequence` on are in.
template <typename Func>
void forPieces(size_t ringSize, uint64_t sequence, size_t size, Func&& f) {
  size_t start = sequence & (ringSize - 1);
  size_t first = kj::min(size, ringSize - start);
  if (first > 0) f(start, size_t(0), first);
  if (size > first) f(size_t(0), first, size - first);
}

}  // namespace

ByteTail::ByteTail(size_t capacity) : capacity(capacity) {
  KJ_REQUIRE(capacity >= FIRST_RING_BYTES && (capacity & (capacity - 1)) == 0);
}

void ByteTail::append(kj::ArrayPtr<const kj::byte> data) {
  growFor(data.size());
  if (data.size() > ring.size()) {
    last += data.size() - ring.size();
    data = data.slice(data.size() - ring.size(), data.size());
  }
  forPieces(ring.size(), last, data.size(), [&](size_t to, size_t from, size_t size) {
    memcpy(ring.begin() + to, data.begin() + from, size);
  });
  last += data.size();
}

void ByteTail::copy(uint64_t sequence, kj::ArrayPtr<kj::byte> target) const {
  KJ_REQUIRE(sequence >= begin() && sequence + target.size() <= end());
  if (target.size() == 0) return;
  forPieces(ring.size(), sequence, target.size(), [&](size_t from, size_t to, size_t size) {
    memcpy(target.begin() + to, ring.begin() + from, size);
  });
}

void ByteTail::growFor(size_t size) {
  if (ring.size() == capacity) return;
  // Until the ring is as large as it may be, nothing is lost.
  uint64_t needed = last + size;
  size_t wanted = kj::max(ring.size(), FIRST_RING_BYTES);
  while (wanted < needed && wanted < capacity) wanted *= 2;
  if (wanted == ring.size()) return;
  auto larger = kj::heapArray<kj::byte>(wanted);
  if (last > 0) copy(0, larger.slice(0, last));
  ring = kj::mv(larger);
}

}  // namespace bothy
