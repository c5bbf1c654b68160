#include "bundle/kernel-modules.h"

#include <kj/exception.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr kj::StringPtr VERSION = "6.12.1-cloud"_kj;

struct ModuleFolder {
  kj::Own<kj::Directory> folder = kj::newInMemoryDirectory(kj::nullClock());

  // Everything that is needed, but for `without`, is built in.
  explicit ModuleFolder(kj::StringPtr without = nullptr) {
    kj::Vector<kj::String> lines;
    for (kj::StringPtr name :
         {"qemu_fw_cfg"_kj, "virtio_pci"_kj, "virtio_blk"_kj, "vmw_vsock_virtio_transport"_kj,
          "erofs"_kj, "ext4"_kj, "overlay"_kj}) {
      if (name != without) lines.add(kj::str("kernel/drivers/", name, ".ko\n"));
    }
    put("modules.builtin", kj::strArray(lines, ""));
  }

  void put(kj::StringPtr path, kj::StringPtr text) {
    folder->openFile(kj::Path::parse(path), kj::WriteMode::CREATE | kj::WriteMode::CREATE_PARENT)
        ->writeAll(text);
  }

  void putModule(kj::StringPtr path, kj::StringPtr depends = "", kj::StringPtr version = VERSION) {
    put(path, kj::str("elf", '\0', "depends=", depends, '\0', "vermagic=", version, " SMP", '\0'));
  }

  kj::String choose() {
    auto chosen = chooseModules(*folder, VERSION);
    return kj::strArray(KJ_MAP(module, chosen) { return kj::str(module.name); }, " ");
  }

  kj::String refusal() {
    KJ_IF_MAYBE (problem, kj::runCatchingExceptions([&] { choose(); })) {
      return kj::str(problem->getDescription());
    }
    return kj::str("none");
  }
};

TEST_CASE("what a kernel has built in needs no module") {
  CHECK(ModuleFolder().choose() == "");
}

TEST_CASE("a module comes behind those that it needs, each once") {
  ModuleFolder f("vmw_vsock_virtio_transport");
  f.putModule("kernel/net/vmw_vsock/vmw_vsock_virtio_transport.ko", "common,vsock");
  f.putModule("kernel/net/vmw_vsock/common.ko", "vsock,ext4");
  f.putModule("kernel/net/vmw_vsock/vsock.ko");
  f.putModule("kernel/net/unwanted.ko");
  CHECK(f.choose() == "vsock.ko common.ko vmw_vsock_virtio_transport.ko");
}

TEST_CASE("a module whose file has hyphens is found by the name that the kernel knows") {
  ModuleFolder f;
  f.putModule("extra/virtio-rng.ko");
  CHECK(f.choose() == "virtio_rng.ko");
}

TEST_CASE("a kernel that could not boot a workspace is refused with what it lacks") {
  CHECK(ModuleFolder("erofs").refusal() ==
        "the kernel 6.12.1-cloud has no erofs, neither built in nor in the folder of modules: no "
        "workspace can boot it");
  ModuleFolder f("erofs");
  f.putModule("kernel/erofs.ko", "libcrc32c");
  CHECK(f.refusal().startsWith("the kernel 6.12.1-cloud has no libcrc32c"));
}

TEST_CASE("modules of another kernel, and a folder that is none of modules, are refused") {
  ModuleFolder f("erofs");
  f.putModule("kernel/erofs.ko", "", "6.12.1-cloudy");
  CHECK(f.refusal().startsWith("the module erofs is of another kernel than 6.12.1-cloud: "));

  ModuleFolder noList;
  noList.folder->remove(kj::Path("modules.builtin"));
  CHECK(noList.refusal().startsWith("the folder of modules has no modules.builtin"));
}

TEST_CASE("a packed module that is damaged is named") {
  ModuleFolder f("erofs");
  f.put("kernel/erofs.ko.xz", "no xz");
  CHECK(f.refusal().startsWith("the module kernel/erofs.ko.xz: it cannot be unpacked"));
}

}  // namespace
}  // namespace bothy
