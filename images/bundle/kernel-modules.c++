#include "bundle/kernel-modules.h"

#include <string.h>

#include <kj/debug.h>
#include <kj/map.h>

#include "compression/archive-payload.h"
#include "fault/fault.h"

namespace bothy {
namespace {

constexpr uint64_t MAX_MODULE_BYTES = 64 << 20;
constexpr size_t MAX_FOLDER_DEPTH = 16;
constexpr kj::StringPtr BUILT_IN_LIST = "modules.builtin"_kj;
constexpr kj::StringPtr ENDING = ".ko"_kj;
constexpr kj::StringPtr PACKED_ENDINGS[] = {".xz"_kj, ".gz"_kj, ".zst"_kj};

// Without one of these the agent has no secret, no disks, no root or no host to talk to.
constexpr kj::StringPtr NEEDED[] = {
    "qemu_fw_cfg"_kj, "virtio_pci"_kj, "virtio_blk"_kj, "vmw_vsock_virtio_transport"_kj,
    "erofs"_kj,       "ext4"_kj,       "overlay"_kj,
};
// Entropy and the news of a panic; what people mount and run first.
constexpr kj::StringPtr WANTED[] = {
    "virtio_rng"_kj, "pvpanic_pci"_kj, "fuse"_kj, "tun"_kj, "loop"_kj, "binfmt_misc"_kj,
};

// The name that the kernel knows a module by; null if the file is none.
kj::Maybe<kj::String> moduleName(kj::StringPtr file) {
  size_t end = file.size();
  for (auto packed : PACKED_ENDINGS) {
    if (file.endsWith(packed)) end = file.size() - packed.size();
  }
  auto name = kj::heapString(file.slice(0, end));
  if (!name.endsWith(ENDING)) return nullptr;
  auto result = kj::heapString(name.slice(0, name.size() - ENDING.size()));
  for (char& c : result) {
    if (c == '-') c = '_';
  }
  return kj::mv(result);
}

// The value of a field of a module's .modinfo: KEY=VALUE between zero bytes.
kj::Maybe<kj::String> field(kj::ArrayPtr<const kj::byte> module, kj::StringPtr key) {
  auto wanted = kj::str('\0', key, '=');
  auto found = static_cast<const kj::byte*>(
      memmem(module.begin(), module.size(), wanted.begin(), wanted.size()));
  if (found == nullptr) return nullptr;
  auto begin = found + wanted.size();
  auto end = static_cast<const kj::byte*>(memchr(begin, 0, module.end() - begin));
  if (end == nullptr) return nullptr;
  return kj::heapString(reinterpret_cast<const char*>(begin), end - begin);
}

kj::Vector<kj::String> split(kj::StringPtr text, char separator) {
  kj::Vector<kj::String> parts;
  while (text.size() > 0) {
    auto end = text.findFirst(separator).orDefault(text.size());
    if (end > 0) parts.add(kj::heapString(text.slice(0, end)));
    text = text.slice(kj::min(end + 1, text.size()));
  }
  return parts;
}

class Choice {
public:
  Choice(const kj::ReadableDirectory& folder, kj::StringPtr version)
      : folder(folder), version(version) {
    auto list = folder.tryOpenFile(kj::Path(BUILT_IN_LIST));
    KJ_IF_MAYBE (file, list) {
      for (auto& line : split((*file)->readAllText(), '\n')) noteBuiltIn(line);
    } else {
      fail(kj::str("the folder of modules has no ", BUILT_IN_LIST,
                   ": give the /lib/modules/VERSION of the kernel"));
    }
    findFiles(folder, nullptr, MAX_FOLDER_DEPTH);
  }

  void need(kj::StringPtr name) {
    if (has(name)) return add(name);
    fail(kj::str("the kernel ", version, " has no ", name,
                 ", neither built in nor in the folder of modules: no workspace can boot it"));
  }

  void want(kj::StringPtr name) {
    if (has(name)) add(name);
  }

  kj::Vector<KernelModule> finish() { return kj::mv(chosen); }

private:
  const kj::ReadableDirectory& folder;
  kj::StringPtr version;
  kj::HashSet<kj::String> settled;  // built in, or chosen
  kj::HashMap<kj::String, kj::Path> files;
  kj::Vector<KernelModule> chosen;

  void noteBuiltIn(kj::StringPtr line) {
    auto file = line.slice(line.findLast('/').map([](size_t at) { return at + 1; }).orDefault(0));
    KJ_IF_MAYBE (name, moduleName(file)) settled.upsert(kj::mv(*name), [](auto&, auto&&) {});
  }

  void findFiles(const kj::ReadableDirectory& directory, kj::PathPtr path, size_t depth) {
    if (depth == 0) return;
    for (auto& entry : directory.listEntries()) {
      if (entry.type == kj::FsNode::Type::DIRECTORY) {
        auto child = directory.openSubdir(kj::Path(entry.name));
        findFiles(*child, path.append(entry.name), depth - 1);
      } else if (entry.type == kj::FsNode::Type::FILE) {
        KJ_IF_MAYBE (name, moduleName(entry.name)) {
          files.upsert(kj::mv(*name), path.append(entry.name), [](auto&, auto&&) {});
        }
      }
    }
  }

  bool has(kj::StringPtr name) { return settled.contains(name) || files.find(name) != nullptr; }

  void add(kj::StringPtr name) {
    if (settled.contains(name)) return;
    settled.insert(kj::str(name));
    auto content = read(KJ_ASSERT_NONNULL(files.find(name)));
    auto magic = field(content, "vermagic").orDefault(kj::String());
    if (!magic.startsWith(kj::str(version, ' '))) {
      fail(kj::str("the module ", name, " is of another kernel than ", version, ": ", magic));
    }
    for (auto& needed : split(field(content, "depends").orDefault(kj::String()), ',')) need(needed);
    chosen.add(KernelModule{kj::str(name, ENDING), kj::mv(content)});
  }

  kj::Array<const kj::byte> read(kj::PathPtr path) {
    kj::Array<const kj::byte> content = folder.openFile(path)->readAllBytes();
    if (path.basename()[0].endsWith(ENDING)) return content;
    KJ_IF_MAYBE (problem, kj::runCatchingExceptions(
                              [&] { content = unpackPayload(content, MAX_MODULE_BYTES); })) {
      fail(kj::str("the module ", path.toString(), ": ", problem->getDescription()));
    }
    return content;
  }
};

}  // namespace

kj::Vector<KernelModule> chooseModules(const kj::ReadableDirectory& folder, kj::StringPtr version) {
  Choice choice(folder, version);
  for (auto name : NEEDED) choice.need(name);
  for (auto name : WANTED) choice.want(name);
  return choice.finish();
}

}  // namespace bothy
