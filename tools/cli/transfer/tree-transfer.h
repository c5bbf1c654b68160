#pragma once

#include "transfer/landing.h"
#include "transfer/transfer.h"

namespace bothy {

// Copies the tree `from` of a workspace to the local path `to`: into it under its own name, if that is a directory.
kj::Promise<TransferResult> downloadTree(Context& context, RemoteFiles from, kj::StringPtr to,
                                         kj::Maybe<uint64_t> maxBytes);

// Copies the local directory `from` to exactly the path `to` of a workspace.  `landing` outlives the promise.
kj::Promise<TransferResult> uploadTree(Context& context, kj::StringPtr from, RemoteFiles to,
                                       Landing& landing);

}  // namespace bothy
