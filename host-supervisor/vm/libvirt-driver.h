#pragma once

#include <kj/async-io.h>

#include "loop/subreaper.h"
#include "vm/vm-driver.h"

namespace bothy {

struct LibvirtDriverSettings {
  // libvirt's URI.  Empty: the driver embedded in this process, its files in STATE_DIR/libvirt.
  kj::String uri;
  // The driver's own directory, made by the caller.  Machines' users must be able to pass through it and
  // those above it (mode 0711).  Short: sockets of libvirt lie in it, whose paths have 107 characters.
  kj::String stateDir;
  // A user id that no machine has, for the guest that probes KVM.
  uint32_t probeUser;
  // Given by tests instead of probing.
  kj::Maybe<HostAbilities> abilities;

  kj::String emulator = kj::str("/usr/bin/qemu-system-x86_64");
  kj::String firmware = kj::str("/usr/share/qemu/qboot.rom");
  kj::String vsockDevice = kj::str("/usr/bin/vhost-device-vsock");
};

// Machines by libvirt and QEMU.  Dropping the driver leaves machines running.  `io` and `reaper` must
// outlive it.  One driver a process and a state directory.
kj::Promise<kj::Own<VmDriver>> openLibvirtDriver(kj::AsyncIoContext& io, Subreaper& reaper,
                                                 LibvirtDriverSettings settings);

}  // namespace bothy
