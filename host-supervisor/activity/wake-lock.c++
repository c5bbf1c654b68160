#include "activity/wake-lock.h"

namespace bothy {

kj::Maybe<kj::String> faultOf(const WakeLockWish& wish) {
  if (wish.forMillis < MIN_WAKE_MILLIS || wish.forMillis > rpc::MAX_WAKE_MILLIS) {
    return kj::str("the time is ", wish.forMillis, " ms: it must be ", MIN_WAKE_MILLIS, " to ",
                   rpc::MAX_WAKE_MILLIS);
  }
  if (wish.reason.size() > rpc::MAX_WAKE_REASON_BYTES) {
    return kj::str("the reason has ", wish.reason.size(), " bytes: it must be at most ",
                   rpc::MAX_WAKE_REASON_BYTES);
  }
  for (kj::byte c : wish.reason.asBytes()) {
    if (c < 0x20 || c == 0x7f)
      return kj::str("the reason holds a control character: it must be text");
  }
  return nullptr;
}

}  // namespace bothy
