#pragma once

#include "boot/boot.h"
#include "schema/system.capnp.h"

namespace bothy {

// How the machine came up.
void writeReport(const Boot& boot, rpc::BootReport::Builder report);

// Of an agent that serves a socket somewhere, and has booted no machine.
void writeReportWithoutBoot(rpc::BootReport::Builder report);

}  // namespace bothy
