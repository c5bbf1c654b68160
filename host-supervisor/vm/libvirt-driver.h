#pragma once

#include <kj/async-io.h>

#include "loop/subreaper.h"
#include "vm/libvirt-limits.h"
#include "vm/vm-driver.h"

namespace bothy {

struct LibvirtDriverSettings {
  // libvirt's URI.  Empty: the driver embedded in this process, its files in RUNTIME_DIR/libvirt.
  kj::String uri;
  // Two directories of the driver's own, made by the caller.  Machines' users must be able to pass through them
  // and those above them (mode 0711).
  //
  // What must be known of machines whatever happens to the host; and what libvirt has found of QEMU, which it finds again.
  kj::String stateDir;
  // What has a meaning until the host boots again.  It belongs on a tmpfs: libvirt keeps there what deciphers
  // the disks' keys while it starts a machine.  Short: sockets lie in it, whose paths have 107 characters.
  kj::String runtimeDir;
  // User ids that no machine has: for the guest that probes KVM and whatever asks QEMU something, and for nothing but the process that
  // kills a machine's, since what runs as that one is killed too.  As a group id the latter is that of all vsock devices.
  uint32_t probeUser;
  uint32_t killSender;
  // Given by tests instead of probing.
  kj::Maybe<HostAbilities> abilities;
  LibvirtLimits limits;

  kj::String emulator = kj::str("/usr/bin/qemu-system-x86_64");
  kj::String firmware = kj::str("/usr/share/qemu/qboot.rom");
  kj::String vsockDevice = kj::str("/usr/bin/vhost-device-vsock");
  kj::String storageDaemon = kj::str("/usr/bin/qemu-storage-daemon");
};

// The directory of the libvirt in this process.
kj::String libvirtRoot(const LibvirtDriverSettings& settings);

// A driver that tells what it has at this moment.
class CountedVmDriver: public VmDriver {
public:
  struct Counts {
    // That are started, taken over, run or are ended.
    size_t machines;
    // The same, and those that somebody holds after their end.
    size_t objects;
    // Promises that follow a machine until nothing of it is left.
    size_t keepers;
    // start(), adopt(), remove() and users() that have not returned.
    size_t calls;
    size_t dials;
    // Of all domains, for machines that are taken over.
    size_t listings;
    // See LibvirtConnection::isIdle().
    bool isLibvirtIdle;
  };
  virtual Counts counts() = 0;
};

// Machines by libvirt and QEMU.  Dropping the driver leaves machines running.  `io` and `reaper` must
// outlive it.  One driver a state directory, and one in the life of a process: libvirt 11.3 opens the part
// of it that keeps secrets once.
kj::Promise<kj::Own<CountedVmDriver>> openLibvirtDriver(kj::AsyncIoContext& io, Subreaper& reaper,
                                                        LibvirtDriverSettings settings);

}  // namespace bothy
