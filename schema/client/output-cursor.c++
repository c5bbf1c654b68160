#include "client/output-cursor.h"

namespace bothy {

OutputCursor::Piece OutputCursor::accept(uint64_t sequence, kj::ArrayPtr<const kj::byte> data) {
  uint64_t lost = skip(next, sequence > next ? sequence - next : 0);
  uint64_t shown = next - sequence;
  if (shown >= data.size()) return {nullptr, lost};
  auto fresh = data.slice(static_cast<size_t>(shown), data.size());
  next += fresh.size();
  return {fresh, lost};
}

uint64_t OutputCursor::skip(uint64_t sequence, uint64_t lost) {
  uint64_t end = lost > UINT64_MAX - sequence ? UINT64_MAX : sequence + lost;
  if (end <= next) return 0;
  uint64_t missed = end - next;
  next = end;
  return missed;
}

}  // namespace bothy
