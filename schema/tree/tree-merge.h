#pragma once

#include "tree/file-problem.h"

namespace bothy {

// Moves what the directory `fromFd` has into the directory `toFd` of the same file system, entry by entry:
// directories that are in both are merged, files and links of `toFd` are replaced.  A symlink to a directory is
// no directory.  Directories of `fromFd` that were merged stay, empty.
//
// Needs few descriptors, however deep the tree is.  What it cannot move ends it, and what was moved before stays moved.
kj::Maybe<FileProblem> mergeTree(int fromFd, int toFd);

// Removes what is at `name` in `parentFd`, with all below it, whatever the modes of its directories.  Follows no
// symlink, and needs few descriptors, however deep the tree is.  What cannot be removed stays.
void removeTree(int parentFd, kj::StringPtr name) noexcept;

}  // namespace bothy
