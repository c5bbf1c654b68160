#pragma once

#include <kj/array.h>
#include <kj/map.h>
#include <kj/string.h>

#include "schema/files.capnp.h"

namespace bothy {

// The files of a fake workspace.  Below "/locked" nothing may be written, and below "/full" there is no space.
class FakeFiles final {
public:
  struct File {
    kj::Array<kj::byte> bytes;
    uint16_t mode = 0644;
    bool directory = false;
    bool stopsInTheMiddle = false;  // a read sends one chunk and no more
  };

  FakeFiles() = default;
  KJ_DISALLOW_COPY_AND_MOVE(FakeFiles);

  // Paths are from the root, with a leading "/".  What was there before is replaced.
  void put(kj::StringPtr path, File file);
  kj::Maybe<File&> find(kj::StringPtr path) { return files.find(path); }

  // `Files` with these, which outlive every capability that came of it.
  rpc::Files::Client serve();

private:
  kj::TreeMap<kj::String, File> files;
};

}  // namespace bothy
