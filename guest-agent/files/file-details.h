#pragma once

#include <kj/one-of.h>
#include <kj/string.h>

#include "files/workspace-root.h"
#include "schema/files.capnp.h"

struct stat;

namespace bothy {

// What there is to know about a name; FileEntry of files.capnp as a value.
struct FileDetails {
  kj::String name;
  rpc::FileKind kind = rpc::FileKind::OTHER;
  uint64_t size = 0;
  uint16_t mode = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  int64_t modifiedNanos = 0;
  int64_t changedNanos = 0;  // of contents, mode, owner or links
  uint64_t inode = 0;
  kj::String linkTarget;
  uint32_t links = 0;

  static FileDetails of(kj::StringPtr name, const struct stat& status);
  // Of `name` in `directory`, itself if it is a symlink.
  static FileResult<FileDetails> read(int directory, kj::StringPtr name);

  void writeTo(rpc::FileEntry::Builder builder) const;
};

}  // namespace bothy
