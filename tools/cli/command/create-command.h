#pragma once

#include "schema/workspace.capnp.h"
#include "session/context.h"
#include "usage/usage.h"

namespace bothy {

// What `create` is asked for; zero and empty are bothyd's defaults.
struct NewWorkspace {
  kj::StringPtr name;
  kj::StringPtr image;
  kj::StringPtr requestId;
  kj::StringPtr tier;
  uint16_t cpus = 0;
  uint32_t memoryMib = 0;
  uint32_t diskMib = 0;
  bool start = true;
};

// The options that say what it is made of.  `workspace` outlives the usage.
void declareSpec(Usage& usage, NewWorkspace& workspace);
// What they have said.
void fill(rpc::WorkspaceSpec::Builder spec, const NewWorkspace& workspace);

// Makes it and tells the user; throws a failure().
kj::Promise<void> createWorkspace(Context& context, const NewWorkspace& call);

}  // namespace bothy
