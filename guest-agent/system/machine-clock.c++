#include "system/machine-clock.h"

#include <kj/debug.h>
#include <time.h>

namespace bothy {

kj::Duration KernelMachineClock::step(kj::Date now) {
  constexpr int64_t NANOS = 1'000'000'000;
  struct timespec had{};
  KJ_SYSCALL(::clock_gettime(CLOCK_REALTIME, &had));
  const int64_t wanted = (now - kj::UNIX_EPOCH) / kj::NANOSECONDS;
  const struct timespec set{static_cast<time_t>(wanted / NANOS), static_cast<long>(wanted % NANOS)};
  KJ_SYSCALL(::clock_settime(CLOCK_REALTIME, &set));
  return (wanted - (int64_t{had.tv_sec} * NANOS + had.tv_nsec)) * kj::NANOSECONDS;
}

}  // namespace bothy
