#pragma once

#include <cstdint>

namespace bothy {

// What the threads that start machines find as /dev/kvm.
enum class KvmNode : uint8_t {
  HOSTS,
  // Nothing.  A device that cannot be used but can be accessed makes libvirt distrust what it knows of QEMU: 15
  // probes a machine.
  HIDDEN,
  // A node that every user may open, so that a machine has KVM without a group that other machines have too.
  OPEN,
};

// Gives the calling thread, and the threads and processes it starts from now on, a mount namespace of
// their own with that /dev/kvm.  What the host mounts later appears there too; what is mounted there does not
// appear on the host, whose own node is not touched.  Needs CAP_SYS_ADMIN, and CAP_MKNOD to open it; does nothing where
// there is no /dev/kvm.
void provideKvm(KvmNode node);

}  // namespace bothy
