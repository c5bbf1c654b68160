#pragma once

#include "files/file-counts.h"
#include "files/file-details.h"
#include "files/files-limits.h"

namespace bothy {

// What was sent of a file.
struct SentFile {
  uint64_t bytes;       // with holes
  FileDetails details;  // as it was when it was opened, without a name
};

enum class Holes {
  SEND,  // as zeros
  SKIP   // the sink is a SparseSink
};

// Sends an open file's bytes from `offset` on, `length` of them or (0) all, and ends the sink.  What it reads
// is what the file has at that moment: one that shrinks meanwhile ends sooner, one that grows later.  `limits` and `counts`, of whose bytes those are,
// outlive the promise.
kj::Promise<FileResult<SentFile>> sendFile(kj::AutoCloseFd file, uint64_t offset, uint64_t length,
                                           rpc::ByteSink::Client sink, Holes holes,
                                           FilesLimits& limits, FileCounts& counts);

}  // namespace bothy
