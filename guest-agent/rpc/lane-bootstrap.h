#pragma once

#include "lane/lane-grant.h"
#include "rpc/file-lanes.h"
#include "rpc/lane-registry.h"
#include "rpc/noted-actions.h"
#include "schema/agent.capnp.h"

namespace bothy {

// What the agent hands out, the same on every lane.  Made by main, outlives every connection.
struct Rooms {
  kj::Own<rpc::Terminals::Server> terminals;
  kj::Own<rpc::Processes::Server> processes;
  kj::Own<rpc::System::Server> system;
  FileLanes& files;
  ActionNotes notes;
};

// What a lane of `grant`, which is not for files, begins with: no right that the grant has not.
capnp::Capability::Client newLaneBootstrap(Rooms& rooms, LaneRegistry& lanes,
                                           const LaneGrant& grant);

}  // namespace bothy
