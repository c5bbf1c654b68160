#pragma once

#include <kj/async.h>

#include "files/file-counts.h"
#include "files/file-writer.h"
#include "files/workspace-files.h"
#include "schema/files.capnp.h"

namespace bothy {

// A file on its way in: what takes its bytes, and what tells how it went.
struct FileTarget {
  rpc::SparseSink::Client sink;
  rpc::FileWriting::Client writing;
};

// `path` is as the caller named it.
FileTarget newFileTarget(DiskFlush& disk, kj::Own<WorkspaceFiles> files, kj::Own<FileWriter> writer,
                         kj::Array<kj::byte> path, kj::Own<FileCounters> counters);

}  // namespace bothy
