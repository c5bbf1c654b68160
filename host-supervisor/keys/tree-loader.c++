#include "keys/tree-loader.h"

#include <string.h>

#include <kj/debug.h>

#include <algorithm>
#include <set>

#include "keys/byte-layout.h"
#include "keys/file-content.h"

namespace bothy {
namespace {

constexpr uint64_t FIRST_EPOCH = 1;

bool has(kj::ArrayPtr<const uint64_t> epochs, uint64_t epoch) {
  return std::find(epochs.begin(), epochs.end(), epoch) != epochs.end();
}

// A node's file, or a mark beside it.  A copy that somebody put beside it under a name of his own is neither.
bool isOfNodes(kj::StringPtr name) {
  if (!name.startsWith(NODE_FILE_PREFIX)) return false;
  auto number = name.slice(NODE_FILE_PREFIX.size());
  size_t digits = strspn(number.cStr(), "0123456789");
  auto rest = number.slice(digits);
  return digits > 0 && (rest.size() == 0 || rest == LOST_SUFFIX);
}

}  // namespace

TreeLoader::TreeLoader(KeyFiles& files, KeyRoot& root)
    : files(files), root(root), replacer(files) {}

TreeLoader::Loaded TreeLoader::load(IfMissing ifMissing) {
  KJ_IF_MAYBE (top, files.read(TOP_FILE, MAX_TOP_FILE_BYTES)) return read(*top);
  auto path = files.path(TOP_FILE);
  if (ifMissing == IfMissing::REFUSE) {
    refuseFile(path, "it was removed while bothyd ran: restore it");
  }
  KJ_IF_MAYBE (keyring, files.read(KEYRING_FILE, MAX_KEYRING_FILE_BYTES)) {
    return takeOver(*keyring);
  }
  auto epochs = root.epochs();
  if (epochs.size() > 0) {
    refuseFile(path, kj::str("it is missing: restore it, or remove ", root.describe(), " too"));
  }
  return {make(epochs, false), false, {}, {}, nullptr};
}

TreeLoader::Top TreeLoader::readTop(kj::ArrayPtr<const kj::byte> copy,
                                    kj::ArrayPtr<const uint64_t> epochs) {
  auto path = files.path(TOP_FILE);
  Top top{TopFile::decode(copy, path), Secret(KEY_BYTES)};
  auto& file = top.file;
  if (file.epoch == 0) {
    if (file.nextNumber != 1 || file.wrapped.size() + file.nodes.size() > 0) {
      refuseFile(path, "its epoch is 0, so it is damaged");
    }
    return top;
  }
  if (epochs.size() == 0) {
    refuseFile(path, kj::str("its master is missing and nothing else opens it: restore ",
                             root.describe(), ", or remove all files beside it too"));
  }
  if (!has(epochs, file.epoch)) {
    refuseFile(path, kj::str("it is of epoch ", file.epoch, " and ", root.describe(), " has ",
                             epochs.back(),
                             ": it is an older copy, whose master is destroyed, or the master is; "
                             "restore all files of one time"));
  }
  if (!root.unwrap(file.epoch, file.wrapped, topKeyContext(file.epoch), top.key) ||
      !endsWithSealOf(top.key, TopFile::contentOf(copy, path))) {
    refuseFile(path, kj::str("its seal is not that of its content under ", root.describe(),
                             ", so it is damaged or belongs to another master"));
  }
  return top;
}

TreeLoader::Loaded TreeLoader::read(kj::ArrayPtr<const kj::byte> content) {
  auto epochs = root.epochs();
  auto top = readTwin<Top>(
      content, [&](kj::ArrayPtr<const kj::byte> copy) { return readTop(copy, epochs); });
  auto& file = top.value.file;
  if (file.epoch == 0) return {make(epochs, true), false, {}, {}, nullptr};

  Loaded loaded{TreeState{file.epoch, file.nextNumber, kj::mv(top.value.key), {}, 0},
                top.damage != nullptr,
                {},
                {},
                nullptr};
  if (loaded.isTopDamaged) {
    KJ_LOG(WARNING, "a copy within a file of the keyring is damaged", files.path(TOP_FILE));
  }
  for (auto& node : file.nodes) readNode(loaded, node);

  // What counts is known: only now may anything change.
  replacer.cleanUp(TOP_FILE);
  keepOnly(file.epoch);
  removeStrays(loaded.state);
  removeOldKeyring();
  return loaded;
}

void TreeLoader::readNode(Loaded& loaded, const TopFile::Node& entry) {
  auto& state = loaded.state;
  auto name = nodeFileName(entry.number);
  auto path = files.path(name);
  TreeState::Node node{entry.number, entry.slot, entry.wrapped, nullptr};
  auto key = state.nodeKey(node);
  TreeState::Content content;
  KJ_IF_MAYBE (damage, kj::runCatchingExceptions([&]() {
                 KJ_IF_MAYBE (file, files.read(name, MAX_NODE_FILE_BYTES)) {
                   auto twin = readTwin<NodeFile>(*file, [&](kj::ArrayPtr<const kj::byte> copy) {
                     auto read = NodeFile::decode(copy, path, key);
                     if (read.number != node.number || read.slot != node.slot) {
                       refuseFile(path, "it is another node");
                     }
                     return read;
                   });
                   content.node = kj::mv(twin.value);
                   if (twin.damage != nullptr) {
                     KJ_LOG(WARNING, "a copy within a file of the keyring is damaged", path);
                     loaded.damagedNodes.add(state.nodes.size());
                   }
                 } else {
                   refuseFile(path, "it is missing");
                 }
               })) {
    content.damage = kj::heapString(damage->getDescription());
    if (files.read(kj::str(name, LOST_SUFFIX), MAX_NODE_FILE_BYTES) != nullptr) {
      KJ_LOG(WARNING, "the keys of a node are given up", path);
      loaded.lostNodes.add(state.nodes.size());
    } else {
      KJ_LOG(ERROR,
             "a node of the keyring cannot be read, and the workspaces whose keys are in it do not "
             "start: restore a copy of its file and start bothyd again",
             path, *damage);
    }
  }
  state.keyCount += content.node.entries.size();
  node.content = std::make_shared<const TreeState::Content>(kj::mv(content));
  state.nodes.push_back(kj::mv(node));
}

TreeState TreeLoader::make(kj::ArrayPtr<const uint64_t> epochs, bool hasPlaceholder) {
  requireNoNodes();
  replacer.cleanUp(TOP_FILE);
  TreeState state;
  state.key = randomKey();
  if (!hasPlaceholder) {
    replacer.replace(TOP_FILE, twinOf(state.top(nullptr).encode(state.key)));
    replacer.discardOld(TOP_FILE);
  }
  if (epochs.size() == 0) {
    state.epoch = FIRST_EPOCH;
    root.make(state.epoch);
  } else {
    state.epoch = epochs.back();
    keepOnly(state.epoch);
  }
  auto wrapped = root.wrap(state.epoch, state.key, topKeyContext(state.epoch));
  replacer.replace(TOP_FILE, twinOf(state.top(kj::mv(wrapped)).encode(state.key)));
  replacer.discardOld(TOP_FILE);
  removeOldKeyring();
  return state;
}

TreeLoader::Loaded TreeLoader::takeOver(kj::ArrayPtr<const kj::byte> content) {
  auto path = files.path(KEYRING_FILE);
  auto keyring = KeyringFile::decode(content, path);
  auto epochs = root.epochs();
  if (epochs.size() == 0) {
    // It was made before its master, so an empty one may stand alone after a crash.
    if (keyring.keys.size() > 0) {
      refuseFile(path, kj::str("its master is missing and nothing else opens it: restore ",
                               root.describe(), ", or remove the keyring too"));
    }
    return {make(epochs, false), false, {}, {}, nullptr};
  }
  if (!has(epochs, keyring.generation)) {
    refuseFile(path, kj::str("it is of generation ", keyring.generation, " and ", root.describe(),
                             " has ", epochs.back(),
                             ": it is an older copy, whose master is destroyed, or the master is; "
                             "restore both files of one time"));
  }
  auto converted = convert(keyring);

  // All is good: only now may anything change.
  replacer.cleanUp(TOP_FILE);
  keepOnly(keyring.generation);
  TreeState nothing;
  nothing.epoch = keyring.generation;
  removeStrays(nothing);
  auto keys = keyring.keys.size();
  KJ_LOG(INFO, "a keyring of one file becomes a tree", path, keys);
  return {kj::mv(nothing), false, {}, {}, kj::mv(converted)};
}

// Every key under the key of a node, as if all of them had been in an epoch that ends.
ChangedTree TreeLoader::convert(const KeyringFile& keyring) {
  ChangedTree changed{
      TreeState{keyring.generation + 1, 1, randomKey(), {}, keyring.keys.size()}, true, {}, {}};
  std::map<uint16_t, std::vector<kj::StringPtr>> slots;
  for (auto& entry : keyring.keys) slots[slotOf(entry.key)].push_back(entry.key);

  auto& state = changed.state;
  KeyWrapper top(state.key);
  Secret key(KEY_BYTES);
  for (auto& [slot, ids] : slots) {
    for (size_t begin = 0; begin < ids.size(); begin += MAX_NODE_KEYS) {
      NodeBuilder builder(state.nextNumber++, slot);
      for (size_t i = begin; i < std::min(begin + MAX_NODE_KEYS, ids.size()); ++i) {
        auto& wrapped = KJ_ASSERT_NONNULL(keyring.keys.find(ids[i]));
        if (!root.unwrap(keyring.generation, asBytes(wrapped),
                         keyContext(keyring.generation, ids[i]), key)) {
          refuseFile(files.path(KEYRING_FILE),
                     kj::str("the key of ", ids[i], " does not open under ", root.describe(),
                             ", so it is damaged or belongs to another master"));
        }
        builder.add(ids[i], key);
      }
      auto built = builder.finish(top, state.epoch);
      changed.newNodes.add(ChangedTree::File{built.node.number, kj::mv(built.content)});
      state.nodes.push_back(kj::mv(built.node));
    }
  }
  return changed;
}

void TreeLoader::removeStrays(const TreeState& state) {
  std::set<std::string> kept;
  for (auto& node : state.nodes) {
    auto name = nodeFileName(node.number);
    kept.insert(name.cStr());
    // What gives a node up counts at a start.
    if (!node.isReadable()) kept.insert(kj::str(name, LOST_SUFFIX).cStr());
  }
  for (auto& name : files.list()) {
    if (!isOfNodes(name) || kept.count(name.cStr()) > 0) continue;
    files.wipe(name);
    files.remove(name);
  }
}

void TreeLoader::removeOldKeyring() {
  for (auto& name :
       {kj::str(KEYRING_FILE), kj::str(KEYRING_FILE, ".new"), kj::str(KEYRING_FILE, ".old")}) {
    files.wipe(name);
    files.remove(name);
  }
}

void TreeLoader::requireNoNodes() {
  for (auto& name : files.list()) {
    if (isOfNodes(name)) {
      refuseFile(files.path(TOP_FILE),
                 kj::str("it is missing or empty, and there is ", files.path(name),
                         ": restore it, or remove all files beside it too"));
    }
  }
}

void TreeLoader::keepOnly(uint64_t epoch) {
  KJ_IF_MAYBE (failure, root.tryKeepOnly(epoch)) {
    kj::throwFatalException(kj::mv(failure->cause));
  }
}

}  // namespace bothy
