#pragma once

#include <kj/array.h>
#include <kj/map.h>
#include <kj/string.h>
#include <kj/vector.h>

#include "schema/files.capnp.h"

namespace bothy {

// The files of a fake workspace, whose user's home is "/home/user".  Below "/locked" nothing may be written, and below
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
  };

  FakeFiles() = default;
  KJ_DISALLOW_COPY_AND_MOVE(FakeFiles);

  // Paths are from the root, with a leading "/".  What was there before is replaced.
  void put(kj::StringPtr path, File file);
  kj::Maybe<File&> find(kj::StringPtr path) { return files.find(path); }

  // Where reads began, in order.
  kj::Vector<uint64_t> readsFrom;
  // While set, a write that was begun takes nothing more.
  bool writesStall = false;

  // Imports of trees whose sink was ended, and which were dropped before.
  kj::uint importsEnded = 0;
  kj::uint importsAbandoned = 0;

  // `Files` with these, which outlive every capability that came of it.
  rpc::Files::Client serve();

private:
  kj::TreeMap<kj::String, File> files;
};

}  // namespace bothy
