#pragma once

#include <kj/array.h>

namespace bothy {

// A filter of system calls for a machine's vsock device, for ChildSpec::Confinement (S21): no socket but Unix ones, no new process, no
// look into others, no namespace or mount, and none of the interfaces of the kernel that such a program has no use for and
// attackers have.  What is refused fails, with EPERM, EAFNOSUPPORT or ENOSYS, as other versions of the device may try and do without.
kj::Array<const kj::byte> vsockDeviceFilter();

}  // namespace bothy
