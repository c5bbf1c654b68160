#pragma once

#include "lane/lane-grant.h"
#include "schema/files.capnp.h"

namespace bothy {

// Files, of which only the methods that the grant names are called: one that is new is nobody's right before it is
// named here.
// At most rpc::MAX_LANE_TRANSFERS transfers are under way at a time, and rpc::MAX_WAITING_TRANSFERS wait for their turn.
kj::Own<rpc::Files::Server> newGrantedFiles(kj::Own<rpc::Files::Server> files,
                                            LaneGrant::Verbs verbs);

}  // namespace bothy
