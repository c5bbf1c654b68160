#pragma once

#include "workspace/workspace-id.h"

namespace bothy {

// What the guest's kernel and agent are told at boot.
kj::String kernelCommandLine(const WorkspaceName& name, uint32_t cpus);

}  // namespace bothy
