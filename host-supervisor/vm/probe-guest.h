#pragma once

#include <stdint.h>

#include <kj/common.h>

namespace bothy {

// A guest of a few instructions, as the 64 KiB ROM of a PC: it enters 64-bit mode, does a cmpxchg16b
// (which a pretended KVM cannot) and writes PROBE_GUEST_CODE to port PROBE_GUEST_PORT.
kj::ArrayPtr<const kj::byte> probeGuestRom();

constexpr uint32_t PROBE_GUEST_PORT = 0xf4;
// QEMU's isa-debug-exit ends it with twice the code plus one.
constexpr int PROBE_GUEST_CODE = 0x2a;
constexpr int PROBE_GUEST_EXIT = PROBE_GUEST_CODE * 2 + 1;

}  // namespace bothy
