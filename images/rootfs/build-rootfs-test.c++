#include <stdlib.h>

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <catch2/catch_test_macros.hpp>

#include "bundle/script.h"

namespace bothy {
namespace {

class Recipes {
public:
  Recipes() : disk(kj::newDiskFilesystem()) {
    char pattern[] = "/tmp/bothy-recipes-XXXXXX";
    KJ_ASSERT(mkdtemp(pattern) != nullptr);
    name = kj::str(pattern);
  }
  ~Recipes() noexcept { disk->getRoot().tryRemove(disk->getCurrentPath().eval(name)); }
  KJ_DISALLOW_COPY_AND_MOVE(Recipes);

  void put(kj::StringPtr path, kj::StringPtr text) {
    auto file = disk->getRoot().openFile(disk->getCurrentPath().eval(kj::str(name, '/', path)),
                                         kj::WriteMode::CREATE | kj::WriteMode::CREATE_PARENT);
    file->writeAll(text);
  }

  // The last line that build-rootfs says of a recipe that it refuses.
  kj::String refusal(kj::StringPtr recipe) {
    return runScript({"/bin/sh"_kj, "-c"_kj,
                      kj::str(BOTHY_ROOTFS, "/build-rootfs --key ", name, '/', recipe,
                              " 2>&1 || { status=$?; [ $status -eq 1 ]; }")});
  }

  kj::String name;

private:
  kj::Own<kj::Filesystem> disk;
};

TEST_CASE("a recipe that stands on itself is refused") {
  Recipes recipes;
  recipes.put("upper/packages", "");
  recipes.put("upper/on", "lower\n");
  recipes.put("lower/packages", "");
  recipes.put("lower/on", "upper\n");
  CHECK(recipes.refusal("upper") == kj::str("rootfs: the recipe ", recipes.name,
                                            "/upper stands on itself, or on more than 8 others"));
}

TEST_CASE("a recipe that stands on none that is there is refused") {
  Recipes recipes;
  recipes.put("upper/packages", "");
  recipes.put("upper/on", "lower\n");
  CHECK(recipes.refusal("upper") == kj::str("rootfs: ", recipes.name, "/upper/on names ",
                                            recipes.name, "/lower, which is no recipe"));
}

TEST_CASE("a folder without packages is no recipe") {
  Recipes recipes;
  recipes.put("upper/setup", "");
  CHECK(recipes.refusal("upper") ==
        kj::str("rootfs: ", recipes.name, "/upper is no recipe: it has no list of packages"));
}

}  // namespace
}  // namespace bothy
