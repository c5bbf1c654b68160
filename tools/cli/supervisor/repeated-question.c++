#include "supervisor/repeated-question.h"

#include "console/failure.h"

namespace bothy {
namespace {

constexpr auto DELAY = 200 * kj::MILLISECONDS;

}  // namespace

kj::Promise<void> askUntilAnswered(kj::Timer& timer, kj::Function<kj::Promise<void>()> ask) {
  const auto start = timer.now();
  bool wasLost = false;
  for (;;) {
    kj::Maybe<kj::Exception> failed;
    co_await kj::evalNow([&] { return ask(); }).catch_([&](kj::Exception&& exception) {
      failed = kj::mv(exception);
    });
    KJ_IF_MAYBE (exception, failed) {
      if (!isFailure(*exception)) {
        wasLost = wasLost || exception->getType() == kj::Exception::Type::DISCONNECTED;
      }
      bool passes = wasLost && exception->getType() == kj::Exception::Type::DISCONNECTED;
      if (!passes || timer.now() - start >= REPEATED_FOR)
        kj::throwFatalException(kj::mv(*exception));
    } else {
      co_return;
    }
    co_await timer.afterDelay(DELAY);
  }
}

}  // namespace bothy
