#pragma once

#include "workspace/workspace-journal.h"

namespace bothy {

// What the machine of a workspace that has a lease is made of, without what opens its disk; `image`: not for one that runs.
VmSpec machineSpec(const World& world, const WorkspaceJournal& journal, kj::Maybe<Image> image);

}  // namespace bothy
