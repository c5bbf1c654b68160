#pragma once

namespace bothy {

// Gives the calling thread, and the threads and processes it starts from now on, a mount namespace of
// their own whose /dev is the host's without `kvm`.  (A device that cannot be used but can be accessed
// makes libvirt distrust what it knows of QEMU: 15 probes a machine.)  What the host mounts later
// appears there too; what is mounted there does not appear on the host.  Needs CAP_SYS_ADMIN; does nothing
// where there is no /dev/kvm.
void hideKvm();

}  // namespace bothy
