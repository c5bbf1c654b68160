#pragma once

#include <stdint.h>

namespace bothy {

// Between which the figures of a workspace must be, whoever names them.
constexpr uint32_t MAX_CPUS = 16;
constexpr uint32_t MIN_MEMORY_MIB = 256;
constexpr uint32_t MAX_MEMORY_MIB = 1048576;
constexpr uint32_t MIN_DISK_MIB = 64;
constexpr uint32_t MAX_DISK_MIB = 16777216;

}  // namespace bothy
