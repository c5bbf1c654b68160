#pragma once

#include <kj/vector.h>

#include "schema/supervisor.capnp.h"

namespace bothy {

// The set-up of the workspaces of a FakeSupervisor: of each that is made what it was made with, and of `demo` two steps, of which the second goes on,
// or has failed.
struct FakeSetup {
  // NAME=TEXT, and names of steps, of those that were made.
  kj::Vector<kj::String> made;
  // What `demo` and those that are made have come to.
  kj::String failure;
  // What those that are made or started have come to meanwhile.
  rpc::WorkspaceState state = rpc::WorkspaceState::RUNNING;
  // Questions after which the second step is done.
  kj::uint goesOnFor = 0;
  kj::uint retries = 0;

  kj::Promise<void> create(rpc::WorkspaceSpec::Reader spec, rpc::WorkspaceInfo::Builder info,
                           rpc::Progress::Client progress);
  void tell(rpc::Supervisor::SetupParams::Reader params,
            rpc::Supervisor::SetupOutcome::Builder outcome);
};

}  // namespace bothy
