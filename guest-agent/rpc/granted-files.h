#pragma once

#include "lane/lane-grant.h"
#include "schema/files.capnp.h"

namespace bothy {

// Serves the methods of Files that `verbs` allow, those for one directory as well as those for all files: `files` is beneath what the lane may
// see.  A method that this file does not name is allowed to nobody.
// At most rpc::MAX_LANE_TRANSFERS transfers are under way at a time, and rpc::MAX_WAITING_TRANSFERS wait for their turn.
kj::Own<rpc::Files::Server> newGrantedFiles(kj::Own<rpc::Files::Server> files,
                                            LaneGrant::Verbs verbs);

}  // namespace bothy
