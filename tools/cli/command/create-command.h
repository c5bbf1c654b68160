#pragma once

#include <kj/vector.h>

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
  // A file of set-up steps and variables; empty: none.
  kj::StringPtr setupFile;
  kj::Vector<kj::StringPtr> environment;  // NAME=TEXT
  kj::Vector<kj::StringPtr> labels;       // KEY=TEXT
  uint16_t cpus = 0;
  uint32_t memoryMib = 0;
  uint32_t diskMib = 0;
  bool start = true;
};

// The options that say what it is made of.  `workspace` outlives the usage.
void declareSpec(Usage& usage, NewWorkspace& workspace);
// What they have said.
void fill(rpc::WorkspaceSpec::Builder spec, const NewWorkspace& workspace);

// Makes it and tells the user; throws a failure().  The exit code: of one that runs, and whose set-up has failed, FAILURE.
kj::Promise<int> createWorkspace(Context& context, const NewWorkspace& call);

}  // namespace bothy
