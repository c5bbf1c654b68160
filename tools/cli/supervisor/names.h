#pragma once

#include <kj/string.h>

#include "schema/supervisor.capnp.h"

namespace bothy {

// Names of enumerants as people read them.
kj::StringPtr nameOf(rpc::WorkspaceState state);
kj::StringPtr nameOf(rpc::Stage stage);
kj::StringPtr nameOf(rpc::Cause cause);
kj::StringPtr nameOf(rpc::Verdict verdict);

// It is paused, or on the way to that or back.
bool isHalted(rpc::WorkspaceState state);

}  // namespace bothy
