#pragma once

#include <kj/function.h>

#include "lane/lane-grant.h"
#include "rpc/lane-registry.h"
#include "rpc/noted-actions.h"
#include "schema/agent.capnp.h"
#include "schema/files.capnp.h"

namespace bothy {

// What the agent hands out, the same on every lane.  Made by main, outlives every connection.
struct Rooms {
  kj::Own<rpc::Terminals::Server> terminals;
  kj::Own<rpc::Processes::Server> processes;
  kj::Own<rpc::System::Server> system;
  // Files beneath "/" with the rights of a user; null if there is no such user.
  kj::Function<kj::Maybe<kj::Own<rpc::Files::Server>>(kj::StringPtr user)> files;
  ActionNotes notes;
};

// What a lane of `grant` begins with: no right that the grant has not.  None: there is no such user.
kj::Maybe<capnp::Capability::Client> newLaneBootstrap(Rooms& rooms, LaneRegistry& lanes,
                                                      const LaneGrant& grant);

}  // namespace bothy
