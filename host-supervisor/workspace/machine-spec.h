#pragma once

#include "workspace/workspace-journal.h"

namespace bothy {

// What a tier allows machines to do with their disks.
IoLimits ioLimitsOf(const Tier& tier);
// By the tier that the workspace has; no limit where it has none.
IoLimits ioLimitsOf(const World& world, const WorkspaceRow& row);

// What opens the disk of the workspace with this id.
kj::Promise<Secret> diskKey(const World& world, kj::StringPtr id);

// What memory must be of that a machine of this image is to go on with here.
kj::String sleepFormat(const World& world, const Image& image);

// What the machine of a workspace that has a lease is made of, without what opens its disk; `image`: not for one that runs.
VmSpec machineSpec(const World& world, const WorkspaceJournal& journal, kj::Maybe<Image> image);

// The same with what opens the disk, which is given to the machine's user, and with its other files made.  Both outlive the promise.
kj::Promise<VmSpec> preparedSpec(const World& world, const WorkspaceJournal& journal, Image image);

}  // namespace bothy
