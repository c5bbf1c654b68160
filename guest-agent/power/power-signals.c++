#include "power/power-signals.h"

#include <kj/debug.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "power/shutdown-schedule.h"

namespace bothy {
namespace {

sigset_t powerSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGHUP);
  for (int number = 1; number <= SIGRTMAX; ++number) {
    if (powerOrderOf(number) != nullptr) {
      sigaddset(&set, number);
    }
  }
  return set;
}

kj::AutoCloseFd openSignals() {
  auto set = powerSignals();
  int fd;
  KJ_SYSCALL(fd = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  return kj::AutoCloseFd(fd);
}

}  // namespace

kj::Maybe<PowerOrder> powerOrderOf(int signal) {
  // SIGRTMIN is a call: glibc keeps some of the kernel's for itself.
  const int realTime = signal - SIGRTMIN;
  if (signal == SIGUSR1 || signal == SIGUSR2 || realTime == 3 || realTime == 4) {
    return PowerOrder{Ending::POWER_OFF, GUEST_GRACE};
  }
  if (signal == SIGINT || signal == SIGTERM || realTime == 5) {
    return PowerOrder{Ending::REBOOT, GUEST_GRACE};
  }
  if (realTime == 13 || realTime == 14) {
    return PowerOrder{Ending::POWER_OFF, 0 * kj::SECONDS};
  }
  if (realTime == 15) {
    return PowerOrder{Ending::REBOOT, 0 * kj::SECONDS};
  }
  return nullptr;
}

void PowerSignals::capture() {
  auto set = powerSignals();
  KJ_SYSCALL(::sigprocmask(SIG_BLOCK, &set, nullptr));
}

PowerSignals::PowerSignals(kj::UnixEventPort& eventPort, kj::Function<void(PowerOrder)> onOrder,
                           kj::Function<void()> onSchedule)
    : onOrder(kj::mv(onOrder)),
      onSchedule(kj::mv(onSchedule)),
      signals(openSignals()),
      observer(eventPort, signals.get(), kj::UnixEventPort::FdObserver::OBSERVE_READ),
      loop(run().eagerlyEvaluate(
          [](kj::Exception&& e) { KJ_LOG(FATAL, "signals are no longer obeyed", e); })) {}

PowerSignals::~PowerSignals() noexcept(false) {}

kj::Promise<void> PowerSignals::run() {
  // Not out of the constructor: whoever is called may not be complete.
  co_await kj::evalLater([]() {});
  for (;;) {
    // Asked before the queue is emptied: the edge of a signal that comes meanwhile is kept.
    auto readable = observer.whenBecomesReadable();
    signalfd_siginfo info;
    while (::read(signals.get(), &info, sizeof(info)) == sizeof(info)) {
      if (info.ssi_signo == SIGHUP) {
        onSchedule();
      }
      KJ_IF_MAYBE (order, powerOrderOf(static_cast<int>(info.ssi_signo))) {
        onOrder(*order);
      }
    }
    co_await readable;
  }
}

}  // namespace bothy
