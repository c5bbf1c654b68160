#pragma once

#include "schema/limits.capnp.h"
#include "wire/places.h"

namespace bothy {

// What all lanes together may have the agent do with files at a time: made once by main.
struct FilesLimits {
  // Beside one of each lane.
  kj::Own<Places> treeTransfers = kj::refcounted<Places>(rpc::MAX_TREE_TRANSFERS);
  kj::Own<Places> writers = kj::refcounted<Places>(rpc::MAX_WRITERS);
};

}  // namespace bothy
