#include "image/image-catalog.h"

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <stdlib.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

struct Fixture {
  char directory[32] = "/tmp/bothy-images-XXXXXX";
  kj::Own<kj::Filesystem> fs = kj::newDiskFilesystem();

  Fixture() { KJ_ASSERT(mkdtemp(directory) != nullptr); }
  ~Fixture() noexcept(false) { fs->getRoot().remove(path()); }

  kj::Path path() { return kj::Path::parse(kj::StringPtr(directory).slice(1)); }
  void write(kj::StringPtr name, kj::StringPtr text) {
    fs->getRoot()
        .openFile(path().append(kj::Path::parse(name)),
                  kj::WriteMode::CREATE | kj::WriteMode::MODIFY | kj::WriteMode::CREATE_PARENT)
        ->writeAll(text);
  }
  void install() {
    write("base/vmlinux", "kernel");
    write("base/initramfs.cpio", "agent");
    write("base/root.erofs", "root");
    write("base/manifest.json",
          R"({"name": "base", "files": [{"name": "vmlinux", "bytes": 6},
              {"name": "initramfs.cpio", "bytes": "5"}, {"name": "root.erofs", "bytes": 4,
               "sha256": "4813494d"}]})");
  }
};

TEST_CASE("an installed image is found with its files") {
  Fixture f;
  f.install();
  InstalledImages images(f.directory);
  auto image = KJ_ASSERT_NONNULL(images.find("base"));
  CHECK(image.kernel == kj::str(f.directory, "/base/vmlinux"));
  CHECK(image.rootImage == kj::str(f.directory, "/base/root.erofs"));
  CHECK(image.identity == "4813494d");
  CHECK(images.find("other") == nullptr);
  for (auto name : {"", ".", "..", "other/../base", "./base"}) {
    INFO(name);
    CHECK(images.find(name) == nullptr);
  }
  f.write("base/inner/file", "");
  InstalledImages inner(kj::str(f.directory, "/base/inner"));
  CHECK(inner.find("..") == nullptr);
}

TEST_CASE("an image that is not whole is told apart from one that is absent") {
  Fixture f;
  f.install();
  InstalledImages images(f.directory);
  f.write("base/root.erofs", "cut");
  CHECK_THROWS(images.find("base"));
}

}  // namespace
}  // namespace bothy
