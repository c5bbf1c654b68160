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

// The end of a copy that is in a workspace.
struct RemoteFiles {
  rpc::Files::Client files;
  kj::StringPtr workspace;
  kj::StringPtr given;  // the path as it was typed
  kj::String path;      // from the root

  // As messages name it.
  kj::String shown() const { return kj::str(workspace, ":", given); }
  // With the whole path, of which the workspace tells a part.
  kj::String shownWhole() const;
  // Its copy's name in a directory of this machine.
  kj::String copyName() const { return bothy::copyName(workspace, given); }
};

// One copy, which goes on over any number of connections.  It copies as `cp -a` does, but for owners: README.md says
// what that means.
class Copy {
public:
  // Copies all, or what is left since the connection before was lost.  Fails with DISCONNECTED where a new connection
  // may help.  `remote` is of the same path every time.
  virtual kj::Promise<TransferResult> run(RemoteFiles remote) = 0;

  // Bytes that need not travel again.
  virtual uint64_t position() const = 0;
};

// Copies a file, symlink or tree out of a workspace: data of a stranger, which writes nothing outside its place and
// not more than the file was said to have, or the local disk bears.  Each appears whole or not at all.
// `maxBytes`: of contents, at most.  `context` and `to` outlive it.
kj::Own<Copy> newDownload(Context& context, const CopyEnd& to, kj::Maybe<uint64_t> maxBytes);

// Copies a file, symlink or tree into a workspace.  Each appears whole or not at all.
kj::Own<Copy> newUpload(Context& context, const CopyEnd& from);

}  // namespace bothy
