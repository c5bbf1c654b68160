#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/filesystem.h>

#include "command/command-test-world.h"

namespace bothy {

// A world with a directory that is gone afterwards.
struct CopyWorld: public CommandTestWorld {
  CopyWorld() {
    char path[] = "/tmp/bothy-copy-XXXXXX";
    KJ_REQUIRE(mkdtemp(path) != nullptr);
    directory = kj::str(path);
    auto disk = kj::newDiskFilesystem();
    local = disk->getRoot().openSubdir(kj::Path::parse(directory.slice(1)), kj::WriteMode::MODIFY);
  }
  ~CopyWorld() noexcept(false) {
    for (auto& name : local->listNames()) local->remove(kj::Path({name}));
    rmdir(directory.cStr());
  }

  kj::String path(kj::StringPtr name) { return kj::str(directory, "/", name); }
  kj::String names() { return kj::strArray(local->listNames(), " "); }
  void makeRemote(kj::StringPtr name, kj::StringPtr content, uint16_t mode = 0644) {
    supervisor.files.put(name, {.bytes = kj::heapArray(content.asBytes()), .mode = mode});
  }
  void makeTree(kj::StringPtr name, kj::Array<kj::byte> archive, bool stopsInTheMiddle = false) {
    supervisor.files.put(name, {.bytes = nullptr,
                                .directory = true,
                                .stopsInTheMiddle = stopsInTheMiddle,
                                .archive = kj::mv(archive)});
  }
  kj::Maybe<kj::String> remote(kj::StringPtr name) {
    KJ_IF_MAYBE (file, supervisor.files.find(name)) return kj::str(file->bytes.asChars());
    return nullptr;
  }

  kj::String directory;
  kj::Own<const kj::Directory> local;
};

inline kj::String longText() {
  return kj::strArray(kj::repeat("0123456789"_kj, 1000), "");
}

}  // namespace bothy
