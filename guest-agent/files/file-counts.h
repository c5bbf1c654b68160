#pragma once

#include <kj/refcount.h>
#include <stdint.h>

namespace bothy {

// What was done over a lane for files.
struct FileCounts {
  // Files, and entries of trees that were packed or unpacked to their end.
  uint64_t filesRead = 0;
  uint64_t filesWritten = 0;
  // Of their contents, or of the archive of a tree.
  uint64_t bytesRead = 0;
  uint64_t bytesWritten = 0;
  // Directories and links that were made, and entries and trees that were moved or removed; of a tree counts the beginning.
  uint64_t changes = 0;
};

// The same while it is done, by whatever of the lane's is under way.
struct FileCounters final: public kj::Refcounted, public FileCounts {
  kj::Own<FileCounters> addRef() { return kj::addRef(*this); }
};

}  // namespace bothy
