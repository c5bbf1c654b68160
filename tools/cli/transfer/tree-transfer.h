#pragma once

#include <sys/types.h>

#include "transfer/transfer.h"

namespace bothy {

// Unpacks the tree at `from` of a workspace at `to`, where nothing is yet, or below it if it is a directory; `mode`
// is that of the tree's top.
kj::Promise<TransferResult> downloadTree(Context& context, RemoteFiles remote, kj::StringPtr from,
                                         kj::StringPtr to, mode_t mode);

// Unpacks the local directory `from` into the directory `to` of a workspace, which is made if missing.
kj::Promise<TransferResult> uploadTree(Context& context, RemoteFiles remote, kj::StringPtr from,
                                       kj::StringPtr to);

}  // namespace bothy
