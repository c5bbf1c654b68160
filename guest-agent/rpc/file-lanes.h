#pragma once

#include "lane/lane-grant.h"
#include "wire/vsock-stream.h"

namespace bothy {

// Of a lane for files, what its Hello and Grant say.
struct FileLane {
  const LaneGrant& grant;
  uint16_t generation;  // that both sides speak
  bool isBulk;          // it may have the kernel's large buffer
};

// Whoever serves the lanes for files: each user's in a process of their own.
class FileLanes {
public:
  // Why the files of a grant's user cannot be served now.  None: they can.
  virtual kj::Maybe<rpc::Refusal> refusal(const LaneGrant& grant) = 0;

  // Serves a lane from its Welcome on.  Resolves when it has ended, to what its client did that ended it, if so.  `lane`'s grant
  // outlives the promise; dropping that ends the lane.
  virtual kj::Promise<kj::Maybe<kj::String>> serve(FileLane lane, kj::Own<VsockStream> stream) = 0;
};

}  // namespace bothy
