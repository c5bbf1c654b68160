#pragma once

#include <kj/string.h>

#include "process/loop-touches.h"
#include "schema/system.capnp.h"

namespace bothy {

// The kernel's answers as numbers.  Text that does not have what is asked for gives 0.

// /proc/uptime, in milliseconds.
uint64_t parseUptimeMillis(kj::StringPtr text);

// The first number of /proc/loadavg.
float parseLoad1(kj::StringPtr text);

enum class DiskSpace { TOLD, NOT_TOLD };

// Reads the machine's state from /proc.  Takes what can be had: a file that is missing gives 0.  `mark`: of those who may list control
// groups and processes.
void measureHealth(rpc::Health::Builder health, DiskSpace disk, ProgramMark mark);

}  // namespace bothy
