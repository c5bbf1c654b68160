#pragma once

#include <kj/debug.h>

#include "schema/limits.capnp.h"
#include "wire/byte-tail.h"

namespace bothy {

// The last rpc::SCROLLBACK_BYTES of what a program wrote to its terminal, until they are dropped.
class Scrollback final {
public:
  Scrollback() : tail(ByteTail(rpc::SCROLLBACK_BYTES)) {}
  KJ_DISALLOW_COPY_AND_MOVE(Scrollback);

  // The first byte that is still here, and the one that comes next.
  uint64_t begin() const {
    KJ_IF_MAYBE (kept, tail) {
      return kept->begin();
    }
    return counted;
  }
  uint64_t end() const {
    KJ_IF_MAYBE (kept, tail) {
      return kept->end();
    }
    return counted;
  }

  void append(kj::ArrayPtr<const kj::byte> data) {
    KJ_IF_MAYBE (kept, tail) {
      kept->append(data);
    } else {
      counted += data.size();
    }
  }

  // Copies the bytes from `sequence` on; all that `target` asks for must be here.
  void copy(uint64_t sequence, kj::ArrayPtr<kj::byte> target) const {
    KJ_REQUIRE_NONNULL(tail, "the scrollback was dropped").copy(sequence, target);
  }

  // Frees the bytes.  Those that come later are counted and not kept.
  void drop() {
    counted = end();
    tail = nullptr;
  }

private:
  kj::Maybe<ByteTail> tail;
  uint64_t counted = 0;  // without a tail: the bytes that came
};

}  // namespace bothy
