#pragma once

#include <kj/function.h>

#include "power/power.h"
#include "system/health.h"

namespace bothy {

// What `System` tells of the machine that it stands for, and what ends that.
struct SystemSources {
  // How the machine came up.
  kj::Function<void(rpc::BootReport::Builder report)> report;
  // TOLD: "/" lies on the data disk.
  DiskSpace diskSpace;
  // Outlives the capability.  None: there is no machine to end.
  kj::Maybe<Power&> power;
  // Of those who may list the machine's control groups and processes.
  ProgramMark mark;
};

kj::Own<rpc::System::Server> newSystemFacet(SystemSources sources);

}  // namespace bothy
