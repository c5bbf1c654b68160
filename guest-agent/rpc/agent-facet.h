#pragma once

#include <kj/function.h>

#include "schema/agent.capnp.h"

namespace bothy {

// What the agent hands out, the same on every lane.  Made by main, outlives every connection.
struct Rooms {
  rpc::Terminals::Client terminals;
  rpc::Processes::Client processes;
  rpc::System::Client system;
  // Files beneath "/" with the rights of a user; throws if there is no such user.
  kj::Function<rpc::Files::Client(kj::StringPtr user)> files;
};

// Serves `Agent`.
rpc::Agent::Client newAgentFacet(Rooms& rooms);

}  // namespace bothy
