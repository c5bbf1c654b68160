#include "wire/stream-order.h"

#include <kj/debug.h>

namespace bothy {

void StreamOrder::requireUnbroken() const {
  if (isUnderWay) {
    kj::throwFatalException(
        KJ_EXCEPTION(DISCONNECTED, "a call before this one did not come to its end"));
  }
}

void StreamOrder::begin() {
  requireUnbroken();
  isUnderWay = true;
}

kj::Promise<void> StreamOrder::endAfter(kj::Promise<void> call) {
  return call.then([this]() { end(); });
}

}  // namespace bothy
