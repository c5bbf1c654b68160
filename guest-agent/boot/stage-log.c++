#include "boot/stage-log.h"

#include <time.h>

namespace bothy {

bool StageLog::run(kj::StringPtr name, kj::Function<void()> work) {
  auto start = clock();
  kj::Maybe<kj::String> failure;
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { work(); })) {
    failure = kj::heapString(exception->getDescription());
  }
  auto took = clock() - start;
  auto millis = (took + 500 * kj::MICROSECONDS) / kj::MILLISECONDS;
  KJ_IF_MAYBE (text, failure) {
    console.say(kj::str("FAILED ", name, " after ", millis, " ms: ", *text));
  } else {
    console.say(kj::str(name, " in ", millis, " ms"));
  }
  auto well = failure == nullptr;
  done.add(Stage{kj::heapString(name), start, took, kj::mv(failure)});
  return well;
}

kj::Duration kernelClock() {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kj::SECONDS + now.tv_nsec * kj::NANOSECONDS;
}

}  // namespace bothy
