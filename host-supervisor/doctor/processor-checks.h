#pragma once

#include "doctor/finding.h"
#include "doctor/host-facts.h"

namespace bothy {

// Whether users' programs may run at the same time on the two threads of one core, which share its caches.
Finding checkSmt(const HostFacts& facts);

// Faults of the processor by which one program reads another's memory and that the kernel does not mend.
Finding checkProcessorFlaws(const HostFacts& facts);

}  // namespace bothy
