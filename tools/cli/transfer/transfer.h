#pragma once

#include <kj/async-io.h>

#include "schema/files.capnp.h"
#include "session/context.h"
#include "transfer/copy-end.h"

namespace bothy {

// What one copy moved.
struct TransferResult {
  uint64_t bytes = 0;  // contents of files
  uint64_t entries = 1;
  uint64_t skipped = 0;  // devices, FIFOs and sockets of a tree
};

// A workspace's files, as messages name them.
struct RemoteFiles {
  rpc::Files::Client files;
  kj::StringPtr workspace;
  kj::StringPtr user;

  kj::String shown(kj::StringPtr path) const { return kj::str(workspace, ":", path); }
};

// Copies a file or tree out of a workspace.  A file appears whole or not at all, and so does a tree; a
// tree is unpacked as what it is, data of a stranger.
kj::Promise<TransferResult> download(Context& context, RemoteFiles remote, kj::StringPtr from,
                                     const CopyEnd& to);

// Copies a file or tree into a workspace.  A file appears whole or not at all.
kj::Promise<TransferResult> upload(Context& context, RemoteFiles remote, const CopyEnd& from,
                                   kj::StringPtr to);

}  // namespace bothy
