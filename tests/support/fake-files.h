#pragma once

#include <kj/array.h>
#include <kj/map.h>
#include <kj/string.h>
#include <kj/vector.h>

#include "schema/files.capnp.h"
#include "schema/supervisor.capnp.h"

namespace bothy {

// The files of a fake workspace, of one user.  Below "/locked" nothing may be written, and below
// "/full" there is no space.
class FakeFiles final {
public:
  struct File {
    kj::Array<kj::byte> bytes;
    uint16_t mode = 0644;
    bool directory = false;
    bool stopsInTheMiddle = false;  // a read sends one chunk and no more
    int64_t modifiedNanos = 0;
    kj::Maybe<uint64_t> saidSize = nullptr;      // what `stat` says, where that is not true
    kj::Maybe<kj::String> linkTarget = nullptr;  // a symlink, which is not followed
    // Of a directory: what exportTree sends.
    kj::Maybe<kj::Array<kj::byte>> archive = nullptr;
    // What has the name by the time it is opened to be read, once it was looked at.
    kj::Own<File> replacement{};
    uint64_t inode = 0;  // put() gives it one
  };

  kj::String home = kj::str("/home/user");

  FakeFiles() = default;
  KJ_DISALLOW_COPY_AND_MOVE(FakeFiles);

  // Paths are from the root, with a leading "/".  What was there before is replaced.
  void put(kj::StringPtr path, File file);
  kj::Maybe<File&> find(kj::StringPtr path) { return files.find(path); }

  // Where reads began, in order.
  kj::Vector<uint64_t> readsFrom;
  // While set, a write that was begun takes nothing more.
  bool writesStall = false;

  // What of the end of a file, symlink or tree that is written the next loss of the connection takes along: the end
  // itself, or its answer alone.
  enum class Losing { NOTHING, END, ANSWER };
  Losing losing = Losing::NOTHING;
  // How often a file, symlink or tree was written to its end.
  kj::uint writesEnded = 0;

  // The mode and time that the "." of an imported archive has.
  uint16_t treeMode = 0755;
  int64_t treeModifiedNanos = 0;

  // Imports of trees whose sink was ended, and which were dropped before.
  kj::uint importsEnded = 0;
  kj::uint importsAbandoned = 0;

  // What was granted last.
  rpc::FileAccess access = rpc::FileAccess::NONE;

  // `Files` with these, which outlive every capability that came of it.
  rpc::Files::Client serve(rpc::FileAccess access);

private:
  kj::TreeMap<kj::String, File> files;
  uint64_t inodes = 0;
};

}  // namespace bothy
