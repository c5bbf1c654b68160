#pragma once

#include "machine/machine.h"
#include "workspace/given-configuration.h"
#include "workspace/world.h"

namespace bothy {

// What is stored of the configuration of a workspace that has one.
kj::Promise<kj::Own<StoredConfiguration>> readConfiguration(const World& world, kj::StringPtr id);

// Hands it to the agent of a machine that has just booted.  An agent that is too old for that is left as it is.  Returns when it has it; no deadline
// of its own, but what reading it has.
kj::Promise<void> configureMachine(const World& world, kj::StringPtr id, Machine& machine);

}  // namespace bothy
