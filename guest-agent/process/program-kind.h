#pragma once

#include <stdint.h>

namespace bothy {

// What a program was started as: each kind has limits of its own.
enum class ProgramKind : uint8_t { COMMAND, TERMINAL };

}  // namespace bothy
