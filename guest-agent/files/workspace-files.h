#pragma once

#include <kj/refcount.h>
#include <time.h>

#include "files/directory-pages.h"
#include "files/file-details.h"
#include "files/tree-removal.h"

namespace bothy {

// The files beneath a root, with the rights of this process: the operations that are one or a few system calls.
class WorkspaceFiles final: public kj::Refcounted {
public:
  // `root` outlives it; `home` is the user's.
  WorkspaceFiles(const WorkspaceRoot& root, kj::StringPtr home);
  ~WorkspaceFiles() noexcept(false);

  const WorkspaceRoot& root;
  const kj::String home;

  enum class Links { FOLLOW, KEEP };
  FileResult<FileDetails> stat(const FilePath& path, Links links) const;
  FileResult<DirectoryPages::Page> list(const FilePath& path, uint64_t cursor, uint32_t limit);

  enum class Parents { REQUIRE, MAKE };
  // MAKE: a directory that is there already is no failure.
  FileResult<Done> makeDirectory(const FilePath& path, mode_t mode, Parents parents) const;

  enum class Target { KEEP, REPLACE };
  FileResult<Done> move(const FilePath& from, const FilePath& to, Target target) const;
  // A file, a symlink, an empty directory.
  FileResult<Done> remove(const FilePath& path) const;
  // In place of a file or link, in one step.
  FileResult<Done> makeSymlink(const FilePath& path, kj::StringPtr target, timespec modified) const;
  FileResult<kj::Own<TreeRemoval>> removeTree(const FilePath& path) const;

  // A regular file to read, at its beginning.
  FileResult<kj::AutoCloseFd> openToRead(const FilePath& path) const;

  // A directory and a name in it ("." for itself).
  struct TreePlace {
    kj::AutoCloseFd directory;
    kj::String name;
  };
  // What packTree() wants of `path`.
  FileResult<TreePlace> findTree(const FilePath& path) const;
  FileResult<kj::AutoCloseFd> openDirectory(const FilePath& path) const;
  // What StagedTree wants of `path`: its directory and the name in it; "." of a path that ends in no name.
  FileResult<TreePlace> findPlace(const FilePath& path) const;

private:
  DirectoryPages pages;
};

}  // namespace bothy
