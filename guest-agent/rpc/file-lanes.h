#pragma once

#include <kj/one-of.h>

#include "lane/lane-grant.h"
#include "rpc/noted-actions.h"
#include "wire/vsock-stream.h"

namespace bothy {

// Of a lane for files, what its Hello and Grant say.
struct FileLane {
  const LaneGrant& grant;
  uint16_t generation;  // that both sides speak
  bool isBulk;          // it may have the kernel's large buffer
  // Dropped when it is known what was done over the lane, or that nobody will say; that may be after the lane has ended.
  kj::Own<FileLaneNote> note;
};

// Whoever serves the lanes for files: each user's in a process of their own.
class FileLanes {
public:
  // The files of one user.
  class OfUser {
  public:
    virtual ~OfUser() noexcept(false) {}
    // Serves a lane from its Welcome on.  Resolves when it has ended, to what its client did that ended it, if so.  `lane`'s grant and
    // this outlive the promise; dropping that ends the lane.
    virtual kj::Promise<kj::Maybe<kj::String>> serve(FileLane lane,
                                                     kj::Own<VsockStream> stream) = 0;
  };

  // Those of a grant's user, or why they cannot be served now.
  virtual kj::OneOf<kj::Own<OfUser>, rpc::Refusal> find(const LaneGrant& grant) = 0;
};

}  // namespace bothy
