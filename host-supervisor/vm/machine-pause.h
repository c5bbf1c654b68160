#pragma once

#include "vm/disk-stall.h"
#include "vm/machine-host.h"
#include "vm/machine-vsock.h"

namespace bothy {

// Whether the CPUs of a machine are to stand still because its owner wants that, and how libvirt is brought to it.
//
// A machine that is paused may also have found the host's disk full, before or since: QEMU's reasons are one to libvirt, and two here.  It
// goes on when neither is left.
class MachinePause final {
public:
  // Everything outlives it.
  MachinePause(MachineHost& host, const VmSpec& spec, DiskStall& stall, MachineVsock& vsock)
      : host(host), spec(spec), stall(stall), vsock(vsock) {}
  KJ_DISALLOW_COPY_AND_MOVE(MachinePause);

  // See RunningVm.  Dropped, each leaves what the next call of either makes good.
  kj::Promise<void> begin();
  kj::Promise<void> end();
  bool isUnderWay() const { return isWanted; }

  // Of a machine that is taken over and is to stand still: it is made to where it runs.
  void adopt(LibvirtDomain::Condition condition);
  // Of one that goes on with memory that was saved: its CPUs have not run yet, and it has no vsock device.
  void beginHalted() { adopt(LibvirtDomain::Condition::PAUSED); }
  // The machine is on its end.
  void abandon() { settling = nullptr; }

private:
  MachineHost& host;
  const VmSpec& spec;
  DiskStall& stall;
  MachineVsock& vsock;
  bool isWanted = false;
  // What libvirt was asked for in vain it may do all the same, and late: so what is wanted is asked for until it has obeyed.
  kj::Promise<void> settling = nullptr;
  bool isSettling = false;

  enum class Cpus { RUN, STAND_STILL };
  void settle(Cpus wanted);
  void stopSettling();
  kj::Promise<void> keepAsking(Cpus wanted);
};

}  // namespace bothy
