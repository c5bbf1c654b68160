#pragma once

#include <stdint.h>

#include <kj/array.h>
#include <kj/common.h>
#include <kj/string.h>

namespace bothy {

// What the host says of itself at this moment.  Reading it changes nothing and runs nothing.
class HostFacts {
public:
  // The text of a file without the line feeds at its end, at most MAX_FACT_BYTES of it; nullptr if there is
  // none or it cannot be read.
  virtual kj::Maybe<kj::String> text(kj::StringPtr path) const = 0;

  // What is in a directory, by name; empty if there is none or it cannot be read.
  virtual kj::Array<kj::String> names(kj::StringPtr directory) const = 0;

  virtual bool exists(kj::StringPtr path) const = 0;

  // The kernel's name ("dm-0") of the block device that `path` is or, else, lies on; nullptr if there is no
  // such path, or its file system is on no block device or on several.
  virtual kj::Maybe<kj::String> blockDevice(kj::StringPtr path) const = 0;

  struct FileSystem {
    bool isInMemory;
    uint64_t freeBytes;  // for users that are not root, as machines are
  };
  // Of the nearest directory above `path` that exists, or of `path` itself; nullptr if it cannot be told.
  virtual kj::Maybe<FileSystem> fileSystem(kj::StringPtr path) const = 0;

  // Whom this process runs as.
  virtual uint32_t user() const = 0;
  // RLIMIT_CORE of this process, in bytes; UINT64_MAX: unlimited.
  virtual uint64_t coreLimitBytes() const = 0;
};

// More than a user database of a hundred thousand users.
constexpr size_t MAX_FACT_BYTES = 16 * 1024 * 1024;

}  // namespace bothy
