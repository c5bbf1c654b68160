#pragma once

#include "schema/limits.capnp.h"
#include "tree/tree-progress.h"
#include "tree/tree-writer.h"

namespace bothy {

struct UnpackOptions {
  enum class Compression {
    NONE,           // what exportTree writes
    GZIP_AND_ZSTD,  // what people have
  };
  Compression compression = Compression::NONE;
  uint64_t maxEntries = rpc::MAX_ARCHIVE_ENTRIES;  // with directories that were made without one
  uint32_t maxRatio = rpc::MAX_ARCHIVE_RATIO;
  // Of the disk: the blocks of data that come, holes count nothing, and one for each entry and missing parent.
  uint64_t maxBytes = UINT64_MAX;
};

// Reads a tar (pax, GNU, ustar) from `archiveFd` to its end and makes its entries with `writer`.
// Blocks; `archiveFd` is a pipe, a socket or a file.  No other format is read, whatever it claims to be.
// The directories wait for `writer.finish()`.
//
// None: unpacked.  Else what was refused or failed, with the entry's name; what was unpacked before stays.
kj::Maybe<FileProblem> unpackArchive(int archiveFd, TreeWriter& writer, UnpackOptions options,
                                     TreeProgress& progress);

// What may describe one entry: its name, attributes and the list of its holes, which are held in memory.  An archive
// that has more is refused.
constexpr uint64_t MAX_HEADER_BYTES = 8 * 1024 * 1024;

// What may follow the end of an archive: padding.
constexpr uint64_t MAX_TRAILING_BYTES = 1024 * 1024;

}  // namespace bothy
