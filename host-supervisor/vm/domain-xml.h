#pragma once

#include "vm/vm-driver.h"

namespace bothy {

// By which QEMU knows what the workspace's own disk is read and written by: within the device that libvirt names so, as the second disk.
constexpr kj::StringPtr DATA_DISK_BACKEND = "/machine/peripheral/virtio-disk1/virtio-backend"_kj;

// Where the driver has put what only it knows of.
struct DomainPaths {
  kj::String emulator;       // qemu-system-x86_64
  kj::String firmware;       // qboot.rom
  kj::String secretFile;     // holds spec.secret, readable by spec.uid
  kj::String consoleSocket;  // QEMU listens here; what the guest's console says comes out of it
};

// The libvirt domain for `spec`: a pure function, the only place that decides which devices a machine
// has.  `group` is the group of QEMU's process.
//
// The devices are virtio and few (S18): two disks, random numbers, a serial console, a panic notice,
// one PCIe port for the vsock device, and on hosts with the kernel's vsock that device itself.  The
// vhost-user one is plugged by the driver: libvirt would start a restore with it, and it cannot be
// migrated.  No network, no shared folder (S14, S19), no balloon: memory is exact.
//
// The data disk is opened with a secret of libvirt's of the usage `spec.name`.
//
// Fails when the spec is no sound one.  Text in it stays text (S12).
kj::String domainXml(const VmSpec& spec, const HostAbilities& abilities, uint32_t group,
                     const DomainPaths& paths);

// libvirt's name for the PCIe port that takes the vhost-user vsock device.
constexpr kj::StringPtr VSOCK_PORT_BUS = "pci.1"_kj;

// Throws unless `name` is of the form [a-z0-9-]{1,63}.
void requireMachineName(kj::StringPtr name);

}  // namespace bothy
