#include "vm/vsock-replacement.h"

#include <kj/debug.h>

#include "loop/failure-of.h"

namespace bothy {

kj::Promise<void> replaceVsock(kj::Timer& timer, kj::StringPtr name,
                               kj::Function<kj::Promise<void>()> replace,
                               kj::Function<void()> notReplaced) {
  kj::uint failures = 0;
  bool stoodStill = false;
  for (;;) {
    auto failure = co_await failureOf(replace);
    KJ_IF_MAYBE (exception, failure) {
      const bool standsStill = exception->getType() == kj::Exception::Type::OVERLOADED;
      const bool isQuick = failures < VSOCK_QUICK_TRIES;
      if (isQuick && !(standsStill && stoodStill)) {
        KJ_LOG(WARNING, "a vsock device could not be replaced", name, failures + 1,
               exception->getDescription());
      }
      stoodStill = standsStill;
      if (!standsStill && isQuick && ++failures == VSOCK_QUICK_TRIES) {
        KJ_LOG(
            ERROR,
            "a machine cannot be reached: its vsock device could not be replaced; it is tried each "
            "minute, and a stop and a start of the workspace give it another",
            name, failures);
        notReplaced();
      }
      const bool isPatient = !standsStill && failures == VSOCK_QUICK_TRIES;
      co_await timer.afterDelay(isPatient ? VSOCK_LONG_RETRY_PAUSE : VSOCK_RETRY_PAUSE);
    } else {
      co_return;
    }
  }
}

}  // namespace bothy
