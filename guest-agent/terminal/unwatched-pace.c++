#include "terminal/unwatched-pace.h"

#include "schema/limits.capnp.h"

namespace bothy {
namespace {

kj::Duration timeFor(uint64_t bytes) {
  constexpr uint64_t NANOSECONDS = 1'000'000'000;
  return static_cast<int64_t>(bytes * NANOSECONDS / rpc::UNWATCHED_BYTES_PER_SECOND) *
         kj::NANOSECONDS;
}

}  // namespace

void UnwatchedPace::note(size_t bytes) {
  paidUntil = kj::max(paidUntil, timer.now()) + timeFor(bytes);
}

bool UnwatchedPace::isAllowed() const {
  return paidUntil - timer.now() <= timeFor(rpc::SCROLLBACK_BYTES);
}

kj::Promise<void> UnwatchedPace::whenAllowed() {
  return timer.atTime(paidUntil - timeFor(rpc::SCROLLBACK_BYTES));
}

}  // namespace bothy
