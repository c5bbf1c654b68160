#pragma once

#include <kj/io.h>
#include <kj/one-of.h>
#include <kj/string.h>

#include "tree/file-problem.h"
#include "tree/tree-writer.h"

namespace bothy {

// A directory in which a tree is made under another name, until all of it is there.
//
// Where there is no directory at the place, it is made beside it and renamed.  Where there is one, it is made
// within it, for a mount point is another file system than its parent, and its entries are moved one by one; so
// are those for a directory that came meanwhile.
//
// Dropping it before commit() removes it.  What a crash leaves is removed by the next StagedTree of that place:
// the directory's lock tells that nobody works in it.
class StagedTree final {
public:
  // `name` in the directory `parentFd`, which is borrowed; "." is that directory itself.
  static kj::OneOf<kj::Own<StagedTree>, FileProblem> make(int parentFd, kj::StringPtr name);

  StagedTree(int parentFd, kj::StringPtr name);
  ~StagedTree() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(StagedTree);

  // The directory to write into, 0700.
  int fd() const { return directory; }

  // Puts the tree in its place: a file or link that has the name of another is replaced, a directory stays and
  // takes the entries.  Then has `writer` set the modes and times of the directories.
  //
  // A problem may leave some entries of an existing directory replaced.
  kj::Maybe<FileProblem> commit(TreeWriter& writer);

private:
  const int parentFd;
  kj::String name;
  // The directory at the place, if there is one.
  kj::AutoCloseFd existing;
  kj::String temporaryName;  // in `existing`, else in `parentFd`
  kj::AutoCloseFd directory;

  int holder() const { return existing.get() >= 0 ? existing.get() : parentFd; }
  kj::Maybe<FileProblem> open();
  kj::Maybe<FileProblem> merge(int present, TreeWriter& writer);
};

// The name of what is made for `name`, until it is whole.  Always the same few, so that what a crash left
// is found again.
kj::String stagingName(kj::StringPtr name, uint attempt);
constexpr uint MAX_STAGING_NAMES = 16;

}  // namespace bothy
