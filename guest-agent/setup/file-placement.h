#pragma once

#include <kj/string.h>
#include <sys/types.h>

namespace bothy {

// A file that is to be in a workspace.
struct PlacedFile {
  kj::StringPtr path;  // absolute
  uid_t owner;
  gid_t group;
  mode_t mode;
  kj::ArrayPtr<const kj::byte> content;
};

// Puts the file in the place of what has its name, whole or not at all, and on the disk when it returns.  Missing directories are made, 0755 and
// the owner's.  No symbolic link is followed: a user of the workspace, who may have made one by then, gets no right by it.  None, or why it
// is not there, for people.
kj::Maybe<kj::String> placeFile(const PlacedFile& file);

}  // namespace bothy
