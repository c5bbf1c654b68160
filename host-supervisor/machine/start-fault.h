#pragma once

#include <kj/string.h>

#include "vm/vm-driver.h"

namespace bothy {

// What kept a workspace from starting; `StartFault` of supervisor.capnp tells more.
enum class StartFault : uint8_t {
  OTHER,
  DISK,
  VMM_EXITED,
  KERNEL_SILENT,
  NO_INIT,
  KERNEL_PANIC,
  NO_HELLO,
  GENERATION,
};

// Why a machine that ended before its agent answered did so; `console` as consoleEnd() gives it.
struct BootFailure {
  StartFault fault;
  kj::String message;
};
BootFailure failureOfBoot(VmEnd end, kj::StringPtr console);

// Whether the kernel says on `console` that it panicked.
bool hasPanic(kj::StringPtr console);

}  // namespace bothy
