#include "bundle/bundle-builder.h"

#include <capnp/message.h>
#include <kj/vector.h>

#include "bundle/bundle-inspection.h"
#include "bundle/kernel-image.h"
#include "bundle/kernel-modules.h"
#include "bundle/kernel-version.h"
#include "digest/digest.h"
#include "fault/fault.h"
#include "initramfs/agent-file.h"
#include "initramfs/initramfs.h"
#include "manifest/manifest-file.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

constexpr kj::StringPtr OWN_KERNEL_ENDING = "-bothy"_kj;  // CONFIG_LOCALVERSION of kernel/

kj::Own<const kj::ReadableFile> vmlinuxOf(const kj::ReadableFile& kernel) {
  auto bytes = kernel.mmap(0, kernel.stat().size);
  KJ_IF_MAYBE (vmlinux, vmlinuxIn(bytes)) {
    auto file = kj::newInMemoryFile(kj::nullClock());
    file->writeAll(*vmlinux);
    return kj::mv(file);
  }
  return kernel.clone();
}

kj::String versionOf(const kj::ReadableFile& vmlinux) {
  auto bytes = vmlinux.mmap(0, vmlinux.stat().size);
  auto version = kernelVersionOf(bytes);
  KJ_IF_MAYBE (found, version) {
    if (!isBootable(bytes)) {
      fail(kj::str("the kernel ", *found, " has no entry for PVH: build it with CONFIG_PVH"));
    }
    return kj::mv(*found);
  }
  fail(kj::str("the kernel is neither a vmlinux nor a bzImage: give one with --kernel"));
}

kj::String firstLine(const kj::ReadableDirectory& directory, kj::StringPtr name) {
  auto file = directory.tryOpenFile(kj::Path(name));
  KJ_IF_MAYBE (found, file) {
    auto text = (*found)->readAllText();
    KJ_IF_MAYBE (end, text.findFirst('\n')) return kj::heapString(text.slice(0, *end));
    return text;
  }
  fail(kj::str("the root file system's folder has no file ", name,
               ": build-rootfs did not make it"));
}

void fillPackages(kj::StringPtr text, manifest::Manifest::Builder manifest) {
  struct Package {
    kj::String name;
    kj::String version;
  };
  kj::Vector<Package> packages;
  while (text.size() > 0) {
    auto end = text.findFirst('\n').orDefault(text.size());
    auto line = kj::heapString(text.slice(0, end));
    text = text.slice(end == text.size() ? end : end + 1);
    KJ_IF_MAYBE (space, line.findFirst(' ')) {
      packages.add(Package{kj::heapString(line.slice(0, *space)), kj::str(line.slice(*space + 1))});
    } else {
      if (line.size() > 0)
        fail(kj::str("the list of packages has a line without a version: ", line));
    }
  }
  auto list = manifest.initPackages(packages.size());
  for (size_t i = 0; i < packages.size(); ++i) {
    list[i].setName(packages[i].name);
    list[i].setVersion(packages[i].version);
  }
}

struct Content {
  kj::StringPtr name;
  const kj::ReadableFile& file;
};

void fillFiles(kj::ArrayPtr<const Content> contents, manifest::Manifest::Builder manifest) {
  auto list = manifest.initFiles(contents.size());
  for (size_t i = 0; i < contents.size(); ++i) {
    auto digest = digestOf(contents[i].file);
    list[i].setName(contents[i].name);
    list[i].setBytes(digest.bytes);
    list[i].setSha256(digest.sha256);
  }
}

void write(const kj::Directory& directory, kj::StringPtr name, const kj::ReadableFile& content) {
  auto file = directory.openFile(kj::Path(name), kj::WriteMode::CREATE);
  uint64_t size = content.stat().size;
  if (file->copy(0, content, 0, size) != size) fail(kj::str(name, " changed while it was copied"));
  file->datasync();
}

bool isSame(const kj::Directory& output, kj::PathPtr path, kj::StringPtr manifestText) {
  auto directory = output.tryOpenSubdir(path);
  KJ_IF_MAYBE (bundle, directory) {
    auto file = (*bundle)->tryOpenFile(kj::Path(MANIFEST_FILE));
    KJ_IF_MAYBE (manifest, file) {
      return (*manifest)->readAllText() == manifestText && findDifferences(**bundle).size() == 0;
    }
  }
  return false;
}

}  // namespace

BuildOutcome buildBundle(const BundleParts& parts, const kj::Directory& output) {
  KJ_IF_MAYBE (fault, agentFault(parts.agent)) {
    fail(kj::str("the agent cannot be used: ", *fault, "; give the static one with --agent"));
  }
  auto kernel = vmlinuxOf(*parts.kernel);
  auto kernelVersion = versionOf(*kernel);
  kj::Vector<KernelModule> modules;
  KJ_IF_MAYBE (folder, parts.modules) modules = chooseModules(**folder, kernelVersion);
  auto initramfs = kj::newInMemoryFile(kj::nullClock());
  initramfs->writeAll(makeInitramfs(parts.agent, modules));
  auto root = parts.rootfs->openFile(kj::Path(ROOT_FILE));

  capnp::MallocMessageBuilder message;
  auto manifest = message.initRoot<manifest::Manifest>();
  manifest.setFormat(manifest::CURRENT_FORMAT);
  manifest.setName(parts.name);
  manifest.setVersion(firstLine(*parts.rootfs, "version"));
  manifest.setGeneration(rpc::GENERATION);
  manifest.setAgentVersion(parts.agentVersion);
  manifest.setKernelVersion(kernelVersion);
  manifest.setOwnKernel(kernelVersion.endsWith(OWN_KERNEL_ENDING));
  auto moduleNames = manifest.initKernelModules(modules.size());
  for (size_t i = 0; i < modules.size(); ++i) moduleNames.set(i, modules[i].name);
  manifest.setDistribution(firstLine(*parts.rootfs, "distribution"));
  fillPackages(parts.rootfs->openFile(kj::Path("packages"))->readAllText(), manifest);

  const Content contents[] = {
      {INITRAMFS_FILE, *initramfs}, {ROOT_FILE, *root}, {KERNEL_FILE, *kernel}};
  fillFiles(contents, manifest);
  auto manifestText = formatManifest(manifest);

  kj::Path path(parts.name);
  if (isSame(output, path, manifestText)) return BuildOutcome::UNCHANGED;
  auto replacer = output.replaceSubdir(path, kj::WriteMode::CREATE | kj::WriteMode::MODIFY);
  for (auto& content : contents) write(replacer->get(), content.name, content.file);
  auto manifestFile = replacer->get().openFile(kj::Path(MANIFEST_FILE), kj::WriteMode::CREATE);
  manifestFile->writeAll(manifestText);
  manifestFile->datasync();
  replacer->get().sync();
  replacer->commit();
  output.sync();
  return BuildOutcome::BUILT;
}

}  // namespace bothy
