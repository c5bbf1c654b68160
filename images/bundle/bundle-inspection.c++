#include "bundle/bundle-inspection.h"

#include <capnp/message.h>
#include <kj/map.h>

#include "bundle/bundle-builder.h"
#include "digest/digest.h"
#include "fault/fault.h"
#include "manifest/manifest-file.h"

namespace bothy {
namespace {

constexpr size_t SHOWN_DIGITS = 16;  // of a SHA-256, for a person

kj::String padded(kj::StringPtr text, size_t width) {
  size_t gap = text.size() < width ? width - text.size() : 0;
  return kj::str(text, kj::repeat(' ', gap));
}

kj::String sizeText(uint64_t bytes) {
  auto mebibytes = kj::str((bytes * 10 + (1 << 19)) >> 20);
  if (mebibytes.size() == 1) mebibytes = kj::str('0', mebibytes);
  size_t point = mebibytes.size() - 1;
  return kj::str(mebibytes.slice(0, point), '.', mebibytes.slice(point), " MiB");
}

kj::String moduleCount(size_t count) {
  return count == 0 ? kj::String() : kj::str(", modules: ", count);
}

kj::Maybe<kj::String> difference(const kj::ReadableDirectory& bundle,
                                 manifest::Manifest::File::Reader wanted) {
  auto name = wanted.getName();
  auto opened = bundle.tryOpenFile(kj::Path(name));
  KJ_IF_MAYBE (file, opened) {
    auto bytes = (*file)->stat().size;
    if (bytes != wanted.getBytes()) {
      return kj::str(name, " has ", bytes, " bytes, not ", wanted.getBytes());
    }
    auto digest = digestOf(**file);
    if (digest.sha256 != wanted.getSha256()) {
      return kj::str(name, " has SHA-256 ", digest.sha256, ", not ", wanted.getSha256());
    }
    return nullptr;
  }
  return kj::str(name, " is missing");
}

}  // namespace

void readManifest(const kj::ReadableDirectory& bundle, manifest::Manifest::Builder manifest) {
  auto file = bundle.tryOpenFile(kj::Path(MANIFEST_FILE));
  KJ_IF_MAYBE (found, file) {
    parseManifest((*found)->readAllText(), manifest);
  } else {
    fail(kj::str("no image bundle: it has no ", MANIFEST_FILE, "; `bothy-image build` makes one"));
  }
}

kj::Vector<kj::String> findDifferences(const kj::ReadableDirectory& bundle) {
  capnp::MallocMessageBuilder message;
  auto manifest = message.initRoot<manifest::Manifest>();
  readManifest(bundle, manifest);

  kj::Vector<kj::String> differences;
  kj::HashSet<kj::String> known;
  known.insert(kj::str(MANIFEST_FILE));
  for (auto file : manifest.asReader().getFiles()) {
    known.upsert(kj::str(file.getName()), [](auto&, auto&&) {});
    KJ_IF_MAYBE (found, difference(bundle, file)) differences.add(kj::mv(*found));
  }
  for (kj::StringPtr needed : {KERNEL_FILE, INITRAMFS_FILE, ROOT_FILE}) {
    if (!known.contains(needed)) differences.add(kj::str("the manifest does not name ", needed));
  }
  for (auto& name : bundle.listNames()) {
    if (!known.contains(name)) differences.add(kj::str(name, " is not in the manifest"));
  }
  return differences;
}

kj::String describe(manifest::Manifest::Reader manifest) {
  kj::Vector<kj::String> lines;
  auto line = [&](kj::StringPtr name, auto&& value) {
    lines.add(kj::str(padded(name, 16), value, '\n'));
  };
  line("image", manifest.getName());
  line("version", manifest.getVersion());
  line("distribution", manifest.getDistribution());
  line("packages", manifest.getPackages().size());
  line("kernel", kj::str(manifest.getKernelVersion(), manifest.getOwnKernel() ? "" : ", not ours",
                         moduleCount(manifest.getKernelModules().size())));
  line("agent", kj::str(manifest.getAgentVersion(), ", generation ", manifest.getGeneration()));
  for (auto file : manifest.getFiles()) {
    auto digest = kj::str(file.getSha256());
    line(file.getName(), kj::str(padded(sizeText(file.getBytes()), 14), "sha256 ",
                                 digest.slice(0, kj::min(digest.size(), SHOWN_DIGITS))));
  }
  return kj::strArray(lines, "");
}

}  // namespace bothy
