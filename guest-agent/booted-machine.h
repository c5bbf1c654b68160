#pragma once

#include <kj/timer.h>

#include "boot/boot.h"
#include "boot/power-signals.h"
#include "boot/power.h"
#include "boot/shutdown-schedule.h"
#include "system/machine-control.h"

namespace bothy {

// The machine that this process has booted, as the System facet sees it, and as its own programs see it:
// it ends by a call, by a signal to PID 1, and at a time that shutdown(8) has written down.
class BootedMachine final: public MachineControl {
public:
  // `boot` and `machine` outlive it.
  BootedMachine(const Boot& boot, kj::UnixEventPort& eventPort, kj::Timer& timer, Machine& machine);

  void report(rpc::BootReport::Builder report) override;
  bool hasDataDisk() override { return boot.disk().is<DiskReady>(); }
  void powerOff(kj::Duration grace) override { power.end(Ending::POWER_OFF, grace); }
  void reboot(kj::Duration grace) override { power.end(Ending::REBOOT, grace); }

private:
  const Boot& boot;
  Power power;
  ShutdownSchedule schedule;
  PowerSignals signals;
};

// In place of a machine, for an agent that serves a socket somewhere.
class NoMachine final: public MachineControl {
public:
  void report(rpc::BootReport::Builder report) override;
  bool hasDataDisk() override { return false; }
  void powerOff(kj::Duration grace) override { refuse(); }
  void reboot(kj::Duration grace) override { refuse(); }

private:
  void refuse();
};

}  // namespace bothy
