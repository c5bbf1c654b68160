#pragma once

#include <kj/async-unix.h>
#include <kj/timer.h>

namespace bothy {

// CLOCK_BOOTTIME (clock_gettime(2)): counts the time for which the guest's kernel suspended the machine, as the event loop's timer does not.
// A machine that QEMU holds up sees no time pass by any clock.  Each wait takes a descriptor (timerfd_create(2)).
class BootTimer final: public kj::Timer {
public:
  // `port` outlives it.
  explicit BootTimer(kj::UnixEventPort& port) : port(port) {}
  KJ_DISALLOW_COPY_AND_MOVE(BootTimer);

  kj::TimePoint now() const override;
  kj::Promise<void> atTime(kj::TimePoint time) override;
  kj::Promise<void> afterDelay(kj::Duration delay) override;

private:
  kj::UnixEventPort& port;
};

}  // namespace bothy
