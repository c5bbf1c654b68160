#pragma once

#include <sys/types.h>

#include <cstdint>

namespace bothy {

// Resident set of a process of this host, in bytes.
uint64_t residentBytes(pid_t pid);

}  // namespace bothy
