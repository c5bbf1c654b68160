#pragma once

#include "doctor/finding.h"
#include "doctor/host-facts.h"

namespace bothy {

// What the kernel of the host can do, and what it lets processes do to each other.

Finding checkKernel(const HostFacts& facts);
Finding checkFuse(const HostFacts& facts);
Finding checkNetworkNamespaces(const HostFacts& facts);
Finding checkPtraceScope(const HostFacts& facts);
Finding checkKernelLog(const HostFacts& facts);
Finding checkBpf(const HostFacts& facts);

}  // namespace bothy
