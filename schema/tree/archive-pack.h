#pragma once

#include <kj/string.h>

#include "tree/file-problem.h"
#include "tree/tree-progress.h"

namespace bothy {

// Writes the tree at `name` in the directory `directoryFd` ("." is the directory itself) as an
// uncompressed pax tar to `archiveFd`.  Blocks.  Files, directories, symlinks and hard links, in the
// file system's order, names relative to the directory and as bytes; owners are left out.  Everything
// else is skipped and counted.
//
// Symlinks are never followed, and what another process moves meanwhile cannot lead it out: each step is
// looked up beneath the descriptor of the directory before.  A file that grows while it is read is cut at
// the size it had; one that becomes shorter ends the packing as CHANGED, never as zeros.  Files of the kernel, whose
// size says nothing, give what reading them gives.
//
// None: packed.  Else what failed; the archive then has no end, and must not be taken for whole.
kj::Maybe<FileProblem> packTree(int directoryFd, kj::StringPtr name, int archiveFd,
                                TreeProgress& progress);

}  // namespace bothy
