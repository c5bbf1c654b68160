#pragma once

#include "files/archive-child.h"
#include "schema/files.capnp.h"

namespace bothy {

void writeOutcome(rpc::Files::TreeOutcome::Builder builder, const FileResult<TreeCounts>& result,
                  kj::ArrayPtr<const kj::byte> path);

// An unpacking under way, by `child`.  `ended` resolves when its archive is whole, and fails where the archive breaks off.  `path`: where
// it goes, as it was given.
kj::Own<rpc::TreeImport::Server> newTreeImport(kj::Own<ArchiveChild> child, kj::Promise<void> ended,
                                               kj::Array<kj::byte> path,
                                               kj::Own<FileCounters> counters);

}  // namespace bothy
