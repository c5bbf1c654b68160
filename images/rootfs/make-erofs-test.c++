#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <catch2/catch_test_macros.hpp>

#include "bundle/script.h"
#include "digest/digest.h"

namespace bothy {
namespace {

class TemporaryFolder {
public:
  TemporaryFolder() : disk(kj::newDiskFilesystem()) {
    char pattern[] = "/tmp/bothy-erofs-XXXXXX";
    KJ_ASSERT(mkdtemp(pattern) != nullptr);
    name = kj::str(pattern);
    folder = disk->getRoot().openSubdir(disk->getCurrentPath().eval(name), kj::WriteMode::MODIFY);
  }
  ~TemporaryFolder() noexcept { disk->getRoot().tryRemove(disk->getCurrentPath().eval(name)); }
  KJ_DISALLOW_COPY_AND_MOVE(TemporaryFolder);

  void put(kj::StringPtr path, kj::StringPtr text) {
    auto file = folder->openFile(kj::Path::parse(path),
                                 kj::WriteMode::CREATE | kj::WriteMode::CREATE_PARENT);
    file->writeAll(text);
  }

  kj::String path(kj::StringPtr below) { return kj::str(name, '/', below); }

  // Packs the folder `tree` of this folder.
  Digest pack(kj::StringPtr image) {
    auto script = kj::str(BOTHY_ROOTFS, "/make-erofs");
    runScript({"/bin/sh"_kj, "-c"_kj,
               kj::str(script, " ", path("tree"), " ", path(image), " >&2 && echo packed")});
    return digestOf(*folder->openFile(kj::Path(image)));
  }

private:
  kj::Own<kj::Filesystem> disk;
  kj::String name;
  kj::Own<const kj::Directory> folder;
};

void fill(TemporaryFolder& folder, kj::ArrayPtr<const kj::StringPtr> order) {
  for (auto name : order) folder.put(kj::str("tree/", name), kj::str(kj::repeat('x', 5000), name));
  KJ_SYSCALL(symlink("a", folder.path("tree/link").cStr()));
}

TEST_CASE(
    "equal trees give equal images, wherever, whenever and in whatever order they were made") {
  TemporaryFolder first;
  TemporaryFolder second;
  fill(first, {"a"_kj, "b/c"_kj, "b/d"_kj, "e/f/g"_kj});
  fill(second, {"e/f/g"_kj, "b/d"_kj, "b/c"_kj, "a"_kj});
  const struct timeval past[2] = {{1000, 0}, {2000, 0}};
  KJ_SYSCALL(utimes(second.path("tree/a").cStr(), past));

  auto digest = first.pack("one");
  CHECK(first.pack("two") == digest);
  CHECK(second.pack("one") == digest);
}

TEST_CASE("a tree that differs in content, name or mode gives another image") {
  TemporaryFolder folder;
  fill(folder, {"a"_kj, "b"_kj});
  auto original = folder.pack("original");
  KJ_SYSCALL(chmod(folder.path("tree/a").cStr(), 0600));
  auto otherMode = folder.pack("mode");
  CHECK(!(otherMode == original));
  folder.put("tree/c", "");
  CHECK(!(folder.pack("name") == otherMode));
}

}  // namespace
}  // namespace bothy
