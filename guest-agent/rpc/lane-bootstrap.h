#pragma once

#include <kj/function.h>

#include "lane/lane-grant.h"
#include "rpc/file-lanes.h"
#include "rpc/lane-registry.h"
#include "rpc/noted-actions.h"
#include "schema/agent.capnp.h"
#include "schema/terminal.capnp.h"
#include "setup/workspace-setup.h"
#include "system/machine-clock.h"
#include "system/machine-sleep.h"

namespace bothy {

// What the agent hands out.  Made by main, outlives every connection.
struct Facets {
  // To each lane its own, which tells what is done over it.
  kj::Function<kj::Own<rpc::Terminals::Server>(kj::Own<ClientActions>)> terminals;
  kj::Function<kj::Own<rpc::Processes::Server>(kj::Own<ClientActions>)> processes;
  // The same on every lane.
  kj::Own<rpc::System::Server> system;
  FileLanes& files;
  ActionNotes notes;
  // None: there is no machine.
  kj::Maybe<MachineClock&> clock = nullptr;
  kj::Maybe<WorkspaceSetup&> setup = nullptr;
  kj::Maybe<MachineSleep&> sleep = nullptr;
};

// What a lane of `grant`, which is not for files, begins with: no right that the grant has not.
capnp::Capability::Client newLaneBootstrap(Facets& facets, LaneRegistry& lanes,
                                           const LaneGrant& grant);

}  // namespace bothy
