#pragma once

#include <kj/vector.h>
#include <sys/types.h>

#include "files/workspace-root.h"

namespace bothy {

// Removes a tree a bit at a time, so that nothing else waits for it.  Holds one descriptor however deep
// the tree is, stays on its file system and follows no symlink.
class TreeRemoval final {
public:
  // What `name` in `parent` is goes with all below it.
  TreeRemoval(kj::AutoCloseFd parent, kj::String name);
  KJ_DISALLOW_COPY_AND_MOVE(TreeRemoval);

  // Removes about `count` entries.  None: there is more to do.
  kj::Maybe<FileResult<Done>> step(uint count);

private:
  struct Level {
    dev_t device;
    ino_t number;
  };
  kj::AutoCloseFd parent;
  kj::String name;
  kj::AutoCloseFd current;     // the innermost directory; none before the first step
  kj::Vector<Level> levels;    // from the top to `current`
  kj::Array<kj::byte> buffer;  // of getdents64(2)

  enum class Scan { EMPTY, DESCENDED, MORE };
  FileResult<Done> enter(int directory, kj::StringPtr child);
  FileResult<Done> leave();
  FileResult<Scan> scan(uint& count);
};

// Directories within directories that are removed: more cannot be made by path.
constexpr size_t MAX_REMOVE_DEPTH = 65536;

}  // namespace bothy
