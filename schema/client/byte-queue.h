#pragma once

#include <deque>

#include <kj/array.h>
#include <kj/async.h>

#include "wire/waiters.h"

namespace bothy {

// Bytes between one who produces and one who consumes them.  Bounded by the producer, who awaits
// `whenBelow` after each push.  Must outlive the promises it gave.
class ByteQueue final {
public:
  void push(kj::ArrayPtr<const kj::byte> bytes);
  // No more will be pushed.
  void finish();

  // Up to `maxBytes` from the front; waits while there are none.  Empty: finished.  One call at a time.
  kj::Promise<kj::Array<kj::byte>> take(size_t maxBytes);

  // Resolves when fewer than `limit` bytes wait.  0 counts as 1: nothing waits.  One call at a time.
  kj::Promise<void> whenBelow(size_t limit);

  size_t size() const { return bytes.size(); }

private:
  kj::Array<kj::byte> takeNow(size_t maxBytes);

  std::deque<kj::byte> bytes;
  bool finished = false;
  Waiters taker, producer;
};

}  // namespace bothy
