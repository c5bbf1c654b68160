#include <elf.h>
#include <string.h>

#include <capnp/message.h>
#include <kj/exception.h>
#include <catch2/catch_test_macros.hpp>

#include "bundle/bundle-builder.h"
#include "bundle/bundle-inspection.h"
#include "bundle/test-kernel.h"
#include "digest/digest.h"
#include "manifest/manifest-file.h"

namespace bothy {
namespace {

// The smallest file that passes for a static program.
kj::Array<const kj::byte> agentOf(kj::byte variant) {
  Elf64_Ehdr header{};
  memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_machine = EM_X86_64;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_ident[EI_PAD] = variant;
  return kj::heapArray(reinterpret_cast<const kj::byte*>(&header), sizeof(header));
}

kj::Own<kj::Directory> directory() {
  return kj::newInMemoryDirectory(kj::nullClock());
}

void put(const kj::Directory& directory, kj::StringPtr path, kj::StringPtr text) {
  directory.openFile(kj::Path::parse(path), kj::WriteMode::CREATE | kj::WriteMode::MODIFY)
      ->writeAll(text);
}

struct Build {
  kj::Own<kj::Directory> output = directory();

  BundleParts parts(kj::byte agentVariant = 0) {
    auto kernel = kj::newInMemoryFile(kj::nullClock());
    kernel->writeAll(testVmlinux("6.12.1-bothy"));
    auto rootfs = directory();
    put(*rootfs, "root.erofs", "the root");
    put(*rootfs, "version", "0123456789abcdef\n");
    put(*rootfs, "distribution", "Debian GNU/Linux 12 (bookworm)\n");
    put(*rootfs, "packages", "bash 5.2\nvim 2:9.0\n");
    return {"base", "0.1.0", agentOf(agentVariant), kj::mv(kernel), kj::mv(rootfs), nullptr};
  }

  BuildOutcome build(kj::byte agentVariant = 0) {
    return buildBundle(parts(agentVariant), *output);
  }

  kj::String manifestText() {
    return output->openFile(kj::Path({"base", "manifest.json"}))->readAllText();
  }

  kj::String differences() {
    return kj::strArray(findDifferences(*output->openSubdir(kj::Path("base"))), "; ");
  }
};

TEST_CASE("a bundle that was built is whole, and its manifest says what it holds") {
  Build build;
  CHECK(build.build() == BuildOutcome::BUILT);
  CHECK(build.differences() == "");

  capnp::MallocMessageBuilder message;
  readManifest(*build.output->openSubdir(kj::Path("base")), message.initRoot<manifest::Manifest>());
  auto manifest = message.getRoot<manifest::Manifest>().asReader();
  CHECK(manifest.getKernelVersion() == "6.12.1-bothy");
  CHECK(manifest.getOwnKernel());
  CHECK(manifest.getVersion() == "0123456789abcdef");
  CHECK(manifest.getPackages()[1].getVersion() == "2:9.0");
  CHECK(manifest.getFiles().size() == 3);
  CHECK(describe(manifest).size() > 0);
}

TEST_CASE("a kernel that the builder brings is told as not ours, with the modules it needs") {
  Build build;
  auto parts = build.parts();
  auto kernel = kj::newInMemoryFile(kj::nullClock());
  kernel->writeAll(testVmlinux("6.12.1-cloud"));
  parts.kernel = kj::mv(kernel);
  auto modules = directory();
  modules
      ->openFile(kj::Path({"kernel", "erofs.ko"}),
                 kj::WriteMode::CREATE | kj::WriteMode::CREATE_PARENT)
      ->writeAll(kj::str('\0', "vermagic=6.12.1-cloud SMP", '\0'));
  put(*modules, "modules.builtin",
      "a/qemu_fw_cfg.ko\na/virtio_pci.ko\na/virtio_blk.ko\na/vmw_vsock_virtio_transport.ko\n"
      "a/ext4.ko\na/overlay.ko\n");
  parts.modules = kj::mv(modules);
  CHECK(buildBundle(parts, *build.output) == BuildOutcome::BUILT);

  capnp::MallocMessageBuilder message;
  readManifest(*build.output->openSubdir(kj::Path("base")), message.initRoot<manifest::Manifest>());
  auto manifest = message.getRoot<manifest::Manifest>().asReader();
  CHECK(manifest.getKernelVersion() == "6.12.1-cloud");
  CHECK(!manifest.getOwnKernel());
  CHECK(manifest.getKernelModules().size() == 1);
  CHECK(manifest.getKernelModules()[0] == "erofs.ko");
  CHECK(strstr(describe(manifest).cStr(), "6.12.1-cloud, not ours, modules: 1\n") != nullptr);
}

TEST_CASE("equal parts give equal bundles; another agent changes the initramfs alone") {
  Build first;
  Build second;
  Build other;
  first.build(1);
  second.build(1);
  other.build(2);
  CHECK(first.manifestText() == second.manifestText());
  auto digest = [](Build& build, kj::StringPtr name) {
    return digestOf(*build.output->openFile(kj::Path({kj::str("base"), kj::str(name)})));
  };
  CHECK(digest(first, "initramfs.cpio") == digest(second, "initramfs.cpio"));
  CHECK(!(digest(first, "initramfs.cpio") == digest(other, "initramfs.cpio")));
  CHECK(digest(first, "root.erofs") == digest(other, "root.erofs"));
}

TEST_CASE("a bundle that is the same already is left alone, a damaged one is made again") {
  Build build;
  build.build();
  CHECK(build.build() == BuildOutcome::UNCHANGED);
  CHECK(build.build(1) == BuildOutcome::BUILT);
  put(*build.output, "base/root.erofs", "The root");
  CHECK(build.build(1) == BuildOutcome::BUILT);
  CHECK(build.differences() == "");
}

TEST_CASE("every flipped byte of a bundle is found") {
  Build build;
  build.build();
  for (kj::StringPtr name : {"vmlinux"_kj, "initramfs.cpio"_kj, "root.erofs"_kj}) {
    auto path = kj::Path({kj::str("base"), kj::str(name)});
    auto original = build.output->openFile(path)->readAllBytes();
    for (size_t i = 0; i < original.size(); ++i) {
      auto damaged = kj::heapArray<kj::byte>(original.asPtr());
      damaged[i] ^= 1;
      build.output->openFile(path, kj::WriteMode::MODIFY)->writeAll(damaged);
      if (!build.differences().startsWith(kj::str(name, " has SHA-256 "))) {
        FAIL(name.cStr() << ": byte " << i);
      }
    }
    build.output->openFile(path, kj::WriteMode::MODIFY)->writeAll(original);
  }
  CHECK(build.differences() == "");
}

TEST_CASE("files that are missing, longer, shorter or unknown are named") {
  Build build;
  build.build();
  auto bytes = testVmlinux("6.12.1-bothy").size();
  put(*build.output, "base/vmlinux", kj::str("y", kj::repeat('x', bytes)));
  CHECK(build.differences() == kj::str("vmlinux has ", bytes + 1, " bytes, not ", bytes));
  put(*build.output, "base/vmlinux", "");
  CHECK(build.differences() == kj::str("vmlinux has 0 bytes, not ", bytes));
  build.output->remove(kj::Path({"base", "vmlinux"}));
  put(*build.output, "base/extra", "");
  CHECK(build.differences() == "vmlinux is missing; extra is not in the manifest");
}

TEST_CASE("an unfit part ends the build and leaves the old bundle") {
  Build build;
  build.build();
  auto before = build.manifestText();

  auto noKernel = build.parts();
  auto file = kj::newInMemoryFile(kj::nullClock());
  file->writeAll("no kernel"_kj);
  noKernel.kernel = kj::mv(file);
  CHECK_THROWS_AS(buildBundle(noKernel, *build.output), kj::Exception);

  auto noEntry = build.parts();
  auto notBootable = kj::newInMemoryFile(kj::nullClock());
  notBootable->writeAll("Linux version 6.12.1 (x)"_kj);
  noEntry.kernel = kj::mv(notBootable);
  CHECK_THROWS_AS(buildBundle(noEntry, *build.output), kj::Exception);

  auto noAgent = build.parts();
  noAgent.agent = kj::heapArray("#!/bin/sh"_kj.asBytes());
  CHECK_THROWS_AS(buildBundle(noAgent, *build.output), kj::Exception);

  auto noRoot = build.parts();
  noRoot.rootfs = directory();
  CHECK_THROWS_AS(buildBundle(noRoot, *build.output), kj::Exception);

  CHECK(build.manifestText() == before);
  CHECK(build.differences() == "");
  CHECK(build.output->listNames().size() == 1);
}

}  // namespace
}  // namespace bothy
