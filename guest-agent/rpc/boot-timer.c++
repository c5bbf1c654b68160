#include "rpc/boot-timer.h"

#include <kj/debug.h>
#include <kj/io.h>
#include <sys/timerfd.h>
#include <time.h>

namespace bothy {
namespace {

using FdObserver = kj::UnixEventPort::FdObserver;

kj::Duration durationOf(const timespec& time) {
  return time.tv_sec * kj::SECONDS + time.tv_nsec * kj::NANOSECONDS;
}

timespec timespecOf(kj::Duration duration) {
  const int64_t nanoseconds = duration / kj::NANOSECONDS;
  constexpr int64_t SECOND = 1 * kj::SECONDS / kj::NANOSECONDS;
  return {nanoseconds / SECOND, nanoseconds % SECOND};
}

}  // namespace

kj::TimePoint BootTimer::now() const {
  timespec time;
  KJ_SYSCALL(clock_gettime(CLOCK_BOOTTIME, &time));
  return kj::origin<kj::TimePoint>() + durationOf(time);
}

kj::Promise<void> BootTimer::atTime(kj::TimePoint time) {
  return afterDelay(time - now());
}

kj::Promise<void> BootTimer::afterDelay(kj::Duration delay) {
  if (delay <= 0 * kj::NANOSECONDS) return kj::READY_NOW;
  int created;
  KJ_SYSCALL(created = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
  kj::AutoCloseFd fd(created);
  itimerspec once = {};
  once.it_value = timespecOf(delay);
  KJ_SYSCALL(timerfd_settime(fd, 0, &once, nullptr));
  auto observer = kj::heap<FdObserver>(port, fd, FdObserver::OBSERVE_READ);
  auto due = observer->whenBecomesReadable();
  return due.attach(kj::mv(observer)).attach(kj::mv(fd));
}

}  // namespace bothy
