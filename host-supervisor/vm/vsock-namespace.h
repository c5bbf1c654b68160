#pragma once

#include <kj/string.h>

namespace bothy {

constexpr kj::StringPtr VSOCK_CHILD_MODE = "/proc/sys/net/vsock/child_ns_mode"_kj;

// Whether a network namespace that is made now has a vsock of its own (Linux 7.0 and later, by net.vsock.child_ns_mode).  A guest of
// vhost-vsock could then be dialled only from the namespace of the thread that opened its device, and not from bothyd's.
// Before, and by default, all namespaces of a host share one vsock.
bool isVsockOfNewNetworksLocal(kj::StringPtr file = VSOCK_CHILD_MODE);

}  // namespace bothy
