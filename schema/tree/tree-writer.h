#pragma once

#include <kj/io.h>
#include <kj/map.h>
#include <kj/one-of.h>
#include <sys/types.h>
#include <time.h>

#include "tree/file-problem.h"
#include "tree/tree-path.h"

namespace bothy {

// Makes the entries of a tree below a directory, whoever chose their names.
//
// Nothing outside of the directory is made, changed or read: each name is looked up by the kernel
// beneath the directory's descriptor without following a symlink, and is used through the descriptor
// that this gave (openat2(2), RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS).  Symlinks are made as they stand
// and never followed.  Modes keep 0777 at most, without a umask: no setuid, setgid, sticky, as whoever copies
// does not keep the owner; owner is the caller.  Times of modification are kept.
//
// What is not a directory and stands in the way is unlinked first, so no write goes through an old link.
class TreeWriter final {
public:
  enum class Duplicates {
    REPLACE,  // as tar does: the last entry of a name counts
    REFUSE    // a name that comes twice ends the unpacking: nobody honest sends that
  };

  enum class Root {
    KEEP,  // the directory itself stays as it is
    SET    // it gets the mode and time of the archive's "."
  };

  // Borrows `rootFd`, a directory.
  TreeWriter(int rootFd, Duplicates duplicates, Root root = Root::KEEP);
  ~TreeWriter() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(TreeWriter);

  using Result = kj::Maybe<FileProblem>;

  // Missing parents are made, 0755.  A new directory is the caller's alone (0700) until finish().
  Result makeDirectory(const TreePath& path, mode_t mode, timespec modified);
  Result makeSymlink(const TreePath& path, kj::StringPtr target, timespec modified);
  // `target` must have come as a file before.
  Result makeHardLink(const TreePath& path, const TreePath& target);

  // A new file, to be written and then given to finishFile().
  kj::OneOf<kj::AutoCloseFd, FileProblem> makeFile(const TreePath& path);
  Result finishFile(kj::AutoCloseFd fd, mode_t mode, timespec modified);

  // Directories that were made because an entry below came without them.
  uint64_t parentsMade() const { return parents; }

  // Sets modes and times of the directories, which had to stay writable until now.  `fd` is the directory where
  // the tree is meanwhile.
  Result finish(int fd);

private:
  struct Directory {
    TreePath path;
    mode_t mode;
    timespec modified;
  };
  enum class Kind : kj::byte { FILE, OTHER };

  int rootFd;
  Duplicates duplicates;
  Root root;
  // REFUSE: every name so far.
  kj::HashMap<kj::String, Kind> seen;
  size_t seenBytes = 0;
  kj::Vector<Directory> directories;
  // The directory of the last entry: most entries follow their sibling.
  kj::String currentPath;
  kj::AutoCloseFd current;
  uint64_t parents = 0;

  Result note(const TreePath& path, Kind kind);
  kj::OneOf<int, FileProblem> openParent(const TreePath& path);
};

// The sum of all names that a TreeWriter with REFUSE remembers.
constexpr size_t MAX_REMEMBERED_NAME_BYTES = 256 * 1024 * 1024;

}  // namespace bothy
