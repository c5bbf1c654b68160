#pragma once

#include <kj/async-io.h>

#include "loop/subreaper.h"
#include "vm/disk-room.h"
#include "vm/libvirt-connection.h"
#include "vm/libvirt-driver.h"

namespace bothy {

// What all machines of a driver share; outlives them.
struct MachineHost {
  kj::AsyncIoContext& io;
  Subreaper& reaper;
  LibvirtDriverSettings settings;
  HostAbilities abilities;
  kj::Own<LibvirtConnection> libvirt;
  kj::Own<DiskRoom> diskRoom;
  kj::Maybe<VmDriver::Events&> listener;
  // Nothing is dialled: see VmDriver::whenNotDialling().
  bool holdsDials = false;

  kj::Timer& timer() { return io.provider->getTimer(); }
  // The group of the QEMU that runs as `user`: that user's own, unless a libvirt of the host's own needs another to open
  // /dev/kvm.
  uint32_t groupOf(uint32_t user) const;
};

// What came of `promise`: nullptr if it succeeded.
kj::Promise<kj::Maybe<kj::Exception>> outcomeOf(kj::Promise<void> promise);

}  // namespace bothy
