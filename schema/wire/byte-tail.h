#pragma once

#include <stdint.h>

#include <kj/array.h>

namespace bothy {

// The last bytes of a stream, by their absolute sequence number, for a receiver that may ask for some of them again.
// Grows with what it holds, up to `capacity`: an idle stream costs little.
class ByteTail final {
public:
  // `capacity`: bytes, a power of two.
  explicit ByteTail(size_t capacity);

  // The first byte that is still here, and the one that comes next.
  uint64_t begin() const { return last - kj::min(last, uint64_t(ring.size())); }
  uint64_t end() const { return last; }

  void append(kj::ArrayPtr<const kj::byte> data);

  // Copies the bytes from `sequence` on; all that `target` asks for must be here.
  void copy(uint64_t sequence, kj::ArrayPtr<kj::byte> target) const;

private:
  const size_t capacity;
  kj::Array<kj::byte> ring;  // byte n is at n modulo its size, a power of two
  uint64_t last = 0;

  void growFor(size_t size);
};

}  // namespace bothy
