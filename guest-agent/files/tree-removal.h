#pragma once

#include <kj/vector.h>
#include <sys/types.h>

#include "files/workspace-root.h"

namespace bothy {

// Removes a tree a bit at a time, so that nothing else waits for it.  Holds KEPT_LEVELS descriptors and a few however deep
// the tree is, stays on its file system and follows no symlink.  Each directory is read through, and then once more, when it is empty: to
// begin anew after each entry would read a large one as often as it has entries, and the kernel merges a directory of an overlay anew for it.
class TreeRemoval final {
public:
  // What `name` in `parent` is goes with all below it.
  TreeRemoval(kj::AutoCloseFd parent, kj::String name);
  KJ_DISALLOW_COPY_AND_MOVE(TreeRemoval);

  // Removes about `count` entries.  None: there is more to do.
  kj::Maybe<FileResult<Done>> step(uint count);

  // Of directories, so far.
  uint64_t bytesRead() const { return readBytes; }

private:
  struct Level {
    dev_t device;
    ino_t number;
    kj::AutoCloseFd fd = kj::AutoCloseFd();  // none: it is opened again by "..", and read anew
    kj::Array<kj::byte> entries = nullptr;   // of getdents64(2)
    size_t at = 0, end = 0;                  // in `entries`: where it goes on
    bool isSeenEmpty = true;                 // since it was last read from its beginning
  };
  kj::AutoCloseFd parent;
  kj::String name;
  // From the top to the innermost directory, which has its descriptor; none before the first step.
  kj::Vector<Level> levels;
  uint64_t readBytes = 0;

  enum class Scan { EMPTY, DESCENDED, MORE };
  FileResult<Done> enter(int directory, kj::StringPtr child);
  FileResult<Done> leave();
  FileResult<bool> readOn(Level& level);
  FileResult<Scan> scan(uint& count);
};

// Directories within directories that are removed: more cannot be made by path.
constexpr size_t MAX_REMOVE_DEPTH = 65536;
// The outermost directories under removal that stay open.
constexpr size_t KEPT_LEVELS = 16;

}  // namespace bothy
