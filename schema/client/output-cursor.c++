#include "client/output-cursor.h"

namespace bothy {

OutputCursor::Piece OutputCursor::accept(uint64_t sequence, kj::ArrayPtr<const kj::byte> data) {
  uint64_t lost = skip(next, sequence > next ? sequence - next : 0);
  auto repeated = static_cast<size_t>(kj::min(next - sequence, uint64_t{data.size()}));
  auto fresh = data.slice(repeated, data.size());
  auto first = next;
  next += fresh.size();
  return {first, fresh, lost, repeated};
}

uint64_t OutputCursor::skip(uint64_t sequence, uint64_t lost) {
  uint64_t end = lost > UINT64_MAX - sequence ? UINT64_MAX : sequence + lost;
  if (end <= next) return 0;
  uint64_t missed = end - next;
  next = end;
  return missed;
}

}  // namespace bothy
