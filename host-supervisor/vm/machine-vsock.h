#pragma once

#include <kj/async-io.h>

#include "loop/process-handle.h"
#include "vm/disk-stall.h"
#include "vm/machine-files.h"
#include "vm/machine-host.h"
#include "vm/machine-record.h"

namespace bothy {

// A machine's vsock: the kernel's, or a device process of its own, which is replaced when it ends.
class MachineVsock final {
public:
  // Everything outlives it.  `record` tells of the device, and is saved when there is a new one.
  MachineVsock(MachineHost& host, const VmSpec& spec, const MachineFiles& files,
               MachineRecord& record, DiskStall& stall);
  KJ_DISALLOW_COPY_AND_MOVE(MachineVsock);

  // Gives a new machine, whose CPUs do not run yet, what the host can do.
  kj::Promise<void> start();
  // Takes over what a machine has.  `device`: pid 0 if it has the kernel's.
  void adopt(const ProcessIdentity& device);
  // Replaces the device whenever it ends, from now on until abandon(), while `qemu` runs, which outlives that, and the CPUs are not to
  // stand still.
  void keep(ProcessHandle& qemu);

  // Fails with DISCONNECTED while nothing listens there, or the device is away.
  kj::Promise<kj::Own<kj::AsyncIoStream>> dial(uint32_t port);
  // Those under way: a process that ends then may end the device with them.
  size_t dials() const { return dialling; }

  // Ends every stream, at most once in a while; see RunningVm::renewVsock().
  void renew();
  // QEMU takes the device off a machine whose CPUs it stops.  vhost-device-vsock 0.3.0 does not outlive a message that
  // comes then, so every connection would hang for good: better that it ends now, and another comes with the CPUs.
  void endWithStall();
  // Before the CPUs are stopped: takes the device off, and nothing is done about it from now on.  Returns when the guest has let go of it,
  // or has not in a while.  Never fails.
  kj::Promise<void> takeOff();
  // While the CPUs stand still: plugs another, which the guest finds when they go on.  Where that fails, it is replaced after switchOn() as
  // one that failed.  Never fails.
  kj::Promise<void> putBack();
  // The CPUs run: it is looked after again.
  void switchOn();
  // Of a machine that is taken over and is to stand still.
  void switchOff();
  // See RunningVm.
  bool keepsStreams() const { return kind == HostAbilities::Vsock::KERNEL; }
  // The machine is on its end.
  void abandon() {
    kept = nullptr;
    serving = nullptr;
  }
  // QEMU has taken the device of this name off.
  void noteRemoved(kj::StringPtr device);

private:
  MachineHost& host;
  const VmSpec& spec;
  const MachineFiles& files;
  MachineRecord& record;
  DiskStall& stall;
  // What it was started with, whatever the host can do by now.
  HostAbilities::Vsock kind;
  kj::Maybe<kj::Own<ProcessHandle>> device;
  bool isUp = false;
  // Whether this device has had a worker; only then does its absence mean that it failed.
  bool isWorkerKnown = false;
  size_t dialling = 0;
  kj::Maybe<kj::TimePoint> lastRenewal;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> unplugged;

  // The machine is paused.
  bool isOff = false;
  // It was taken off with a pause, and not lost.
  bool isExpectedAway = false;
  // The listener knows that it is lost.
  bool isLossTold = false;
  kj::Maybe<ProcessHandle&> kept;  // its QEMU
  kj::Promise<void> serving = nullptr;

  void serve();
  kj::Promise<void> replaceWhenLost(ProcessHandle& qemu);
  kj::Promise<void> settleIn();
  void noteLoss();
  void noteReturn();
  kj::Promise<void> untilDeviceEnds();
  kj::Promise<void> replace();
  kj::Promise<void> tryToReplace();
  kj::Promise<void> plug();
  kj::Promise<void> unplug();
  // Resolves when the device has stopped to serve the guest and was ended for it.
  kj::Promise<void> watchWorker(kj::Duration pause);
  bool endBrokenDevice();
};

}  // namespace bothy
