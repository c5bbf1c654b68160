#pragma once

#include <kj/function.h>
#include <kj/vector.h>

#include "schema/supervisor.capnp.h"

namespace bothy {

// Which workspaces are wanted.
struct WantedWorkspaces {
  // Names that begin so.
  kj::StringPtr prefix = nullptr;
  // In any of these; none: in any.
  kj::Vector<rpc::WorkspaceState> states;
  // KEY=TEXT, all of which they have.
  kj::Vector<kj::StringPtr> labels;
};

using WorkspacePage = capnp::Response<rpc::Supervisor::ListResults>;

// All of them by name, asked for page after page.  `wanted` outlives the promise.
kj::Promise<kj::Array<WorkspacePage>> listWorkspaces(rpc::Supervisor::Client supervisor,
                                                     const WantedWorkspaces& wanted);

}  // namespace bothy
