#include "boot/kernel-modules.h"

#include <kj/debug.h>
#include <kj/vector.h>
#include <stdlib.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "boot/failure.h"
#include "boot/machine-file.h"

namespace bothy {
namespace {

struct ModuleFolder {
  ModuleFolder() { KJ_ASSERT(::mkdtemp(path) != nullptr); }
  ~ModuleFolder() {
    ::unlink(list().cStr());
    ::rmdir(path);
  }
  kj::String list() { return kj::str(path, "/list"); }

  // Loads by the list with this text; returns the paths in the order in which they were tried.
  kj::String load(kj::StringPtr text, kj::StringPtr refused = nullptr) {
    replaceText(list(), text, 0644);
    kj::Vector<kj::String> tried;
    auto problem = kj::runCatchingExceptions([&]() {
      loadKernelModules(path, [&](kj::StringPtr file) {
        tried.add(kj::str(file.slice(kj::StringPtr(path).size())));
        if (refused.size() > 0 && file.endsWith(refused)) failStage(kj::str(refused, " is unfit"));
      });
    });
    KJ_IF_MAYBE (found, problem) {
      tried.add(kj::str("! ", found->getDescription()));
    }
    return kj::strArray(tried, " ");
  }

  char path[32] = "/tmp/bothy-modules-XXXXXX";
};

TEST_CASE("modules are loaded in the order of their list") {
  ModuleFolder folder;
  CHECK(folder.load("vsock.ko\nerofs.ko\n") == "/vsock.ko /erofs.ko");
  CHECK(folder.load("vsock.ko\n\nerofs.ko") == "/vsock.ko /erofs.ko");
  CHECK(folder.load("") == "");
}

TEST_CASE("a module that the kernel refuses is told and keeps no other from being loaded") {
  ModuleFolder folder;
  CHECK(folder.load("a.ko\nb.ko\nc.ko\n", "b.ko") ==
        "/a.ko /b.ko /c.ko ! the kernel refused modules: b.ko is unfit");
}

TEST_CASE("an initramfs without a list has no modules") {
  ModuleFolder folder;
  CHECK(!hasKernelModules(folder.path));
  loadKernelModules(folder.path,
                    [](kj::StringPtr file) { FAIL("nothing was to be loaded: " << file.cStr()); });
  replaceText(folder.list(), "a.ko\n", 0644);
  CHECK(hasKernelModules(folder.path));
}

}  // namespace
}  // namespace bothy
