#pragma once

#include <kj/async-unix.h>
#include <kj/function.h>
#include <kj/io.h>

#include "power/power.h"

namespace bothy {

// What a signal to PID 1 orders.
struct PowerOrder {
  Ending ending;
  kj::Duration grace;
};

// The meaning of a signal as systemd(1) has it (SIGRTMIN+3 halt, +4 power off, +5 reboot, +13 to +15 the
// same at once, SIGINT for Ctrl-Alt-Del) and init of busybox (SIGUSR1 halt, SIGUSR2 power off, SIGTERM
// reboot).  A machine that is halted powers off: it would cost its memory and do nothing.
kj::Maybe<PowerOrder> powerOrderOf(int signal);

// Takes the orders that come to PID 1 as signals.  SIGHUP says that the shutdown schedule has changed.
//
// By a signalfd, as the Reaper does and for its reason.
class PowerSignals final {
public:
  // Blocks the signals, so that those which come while nobody listens wait.  The kernel drops a signal
  // to PID 1 that is neither blocked nor handled: to be called first of all.
  static void capture();

  // `onOrder` and `onSchedule` are called from the event loop, until this is dropped.
  PowerSignals(kj::UnixEventPort& eventPort, kj::Function<void(PowerOrder)> onOrder,
               kj::Function<void()> onSchedule);
  ~PowerSignals() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(PowerSignals);

private:
  kj::Function<void(PowerOrder)> onOrder;
  kj::Function<void()> onSchedule;
  kj::AutoCloseFd signals;
  kj::UnixEventPort::FdObserver observer;
  kj::Promise<void> loop;

  kj::Promise<void> run();
};

}  // namespace bothy
