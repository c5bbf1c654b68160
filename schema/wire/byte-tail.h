#pragma once

#include <stdint.h>

#include <kj/array.h>

namespace bothy {

// The last bytes of a stream, by their absolute sequence number, for a receiver that may ask for some of them again.
// Grows with what it holds, up to `capacity`: an idle stream costs little.
class ByteTail final {
public:
  // The least capacity, and what it takes of memory first.
  static constexpr size_t LEAST_BYTES = 4096;
  // `capacity`: bytes, a power of two.
  explicit ByteTail(size_t capacity);

  // The first byte that is still here, and the one that comes next.
  uint64_t begin() const { return first; }
  uint64_t end() const { return last; }

  // What it takes of memory.
  size_t size() const { return ring.size(); }
  // What it would take, without a limit, with `bytes` more and nothing lost.
  size_t sizeWith(size_t bytes) const;
  // The capacity from now on: what is too much for it is lost at once.
  void limit(size_t bytes);

  void append(kj::ArrayPtr<const kj::byte> data);

  // Copies the bytes from `sequence` on; all that `target` asks for must be here.
  void copy(uint64_t sequence, kj::ArrayPtr<kj::byte> target) const;

private:
  size_t capacity;
  kj::Array<kj::byte> ring;  // byte n is at n modulo its size, a power of two
  uint64_t first = 0;
  uint64_t last = 0;

  void resize(size_t bytes);
};

}  // namespace bothy
