#pragma once

#include <kj/string.h>

#include <cstdint>

namespace bothy {

// Milliseconds from the start of QEMU, with the guest kernel, the memory and the processors that a
// workspace gets, to the first line of an init that does nothing else.
double bootFloorMillis(kj::StringPtr directory, uint32_t memoryMib);

}  // namespace bothy
