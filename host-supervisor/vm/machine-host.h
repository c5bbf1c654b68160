#pragma once

#include <kj/timer.h>

#include "vm/disk-room.h"
#include "vm/libvirt-connection.h"
#include "vm/libvirt-driver.h"
#include "vm/machine-processes.h"
#include "vm/machine-records.h"
#include "vm/machine-storage.h"

namespace bothy {

// What all machines of a driver share; outlives them.  Whatever the driver does to the world, it does by `libvirt`, `processes` and
// `storage`.
struct MachineHost {
  MachineHost(kj::Timer& timer, kj::Own<const LibvirtDriverSettings> settings,
              HostAbilities abilities, kj::Own<MachineProcesses> processes,
              kj::Own<MachineStorage> storage, kj::Own<LibvirtConnection> libvirt);

  kj::Timer& timer;
  kj::Own<const LibvirtDriverSettings> settings;
  HostAbilities abilities;
  kj::Own<MachineProcesses> processes;
  kj::Own<MachineStorage> storage;
  kj::Own<MachineRecords> records;
  kj::Own<LibvirtConnection> libvirt;
  kj::Own<DiskRoom> diskRoom;
  kj::Maybe<VmDriver::Events&> listener;
  // Nothing is dialled: see VmDriver::whenNotDialling().
  bool holdsDials = false;

  // The group of the QEMU that runs as `user`: that user's own, unless a libvirt of the host's own needs another to open
  // /dev/kvm.
  uint32_t groupOf(uint32_t user) const;
};

// See openLibvirtDriver().
kj::Own<VmDriver> newLibvirtDriver(MachineHost host);

}  // namespace bothy
