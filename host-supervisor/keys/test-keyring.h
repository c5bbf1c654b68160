#pragma once

#include <catch2/catch_test_macros.hpp>
#include <map>
#include <string>

#include "keys/file-key-root.h"
#include "keys/keyring-file.h"
#include "keys/local-keyring.h"
#include "keys/test-disk.h"
#include "tree/test-directory.h"

namespace bothy {

// What a call that must fail says.
template <typename Function>
kj::Exception failureOf(Function&& function) {
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { function(); })) {
    return kj::mv(*exception);
  }
  FAIL("it did not fail");
  KJ_UNREACHABLE;
}

inline bool says(const kj::Exception& exception, kj::StringPtr part) {
  return strstr(exception.getDescription().cStr(), part.cStr()) != nullptr;
}

inline KeyChange creation(kj::StringPtr id) {
  return {KeyChange::Kind::CREATE, kj::heapString(id), nullptr};
}
inline KeyChange destruction(kj::StringPtr id) {
  return {KeyChange::Kind::DESTROY, kj::heapString(id), nullptr};
}

// Changes that wait together.  Throws the first failure.
template <typename... Changes>
void applyTogether(KeyTree& tree, Changes&&... changes) {
  KeyChange* all[] = {&changes...};
  tree.apply(all);
  for (auto change : all) {
    KJ_IF_MAYBE (failure, change->failure) kj::throwFatalException(kj::cp(*failure));
  }
}
inline void create(KeyTree& tree, kj::StringPtr id) {
  applyTogether(tree, creation(id));
}
inline void destroy(KeyTree& tree, kj::StringPtr id) {
  applyTogether(tree, destruction(id));
}

// Another id whose key lies in the same node.
inline kj::String idBeside(kj::StringPtr id) {
  for (uint i = 0;; ++i) {
    auto other = kj::str("beside-", i);
    if (slotOf(other) == slotOf(id)) return other;
  }
}

// A key file of its own, and key trees under it.
struct KeyringWorld {
  TestDirectory directory;

  kj::String keyFile() const { return directory.at("protector"); }

  Protector protector() const {
    return Protector(
        {ProtectorSetting::Kind::KEY_FILE, keyFile(), ProtectorSetting::IfMissing::CREATE});
  }

  // What a keyring says: each id with its key.
  using Content = std::map<std::string, Bytes>;

  static Content contentOf(const KeyTree& tree) {
    Content content;
    for (auto& id : tree.list()) content[id.cStr()] = bytesOf(tree.open(id).bytes());
    return content;
  }

  kj::Own<KeyTree> open(TestDisk& disk) const {
    return openKeyTree(kj::heap<TestKeyFiles>(disk), protector());
  }
  Content contentOf(TestDisk disk) const { return contentOf(*open(disk)); }
};

// All keys of epochs that a file `master` gives to one who has the protector.
inline kj::Vector<Secret> mastersOf(kj::ArrayPtr<const kj::byte> content,
                                    const Protector& protector) {
  kj::Vector<Secret> masters;
  auto file = MasterFile::decode(content, "master"_kj);
  auto outer = protector.unlock(file.derivation);
  for (auto& generation : file.generations) {
    Secret master(KEY_BYTES);
    REQUIRE(KeyWrapper(outer).unwrap(generation.wrapped, masterContext(generation.number), master));
    masters.add(kj::mv(master));
  }
  return masters;
}

// Whether one of these masters opens the key of this id in a copy of a keyring of before the tree, whatever
// generation the thief writes into it.
inline bool opensOldKey(const kj::Vector<Secret>& masters, kj::ArrayPtr<const kj::byte> keyring,
                        kj::StringPtr id) {
  auto file = KeyringFile::decode(keyring, "keyring"_kj);
  KJ_IF_MAYBE (wrapped, file.keys.find(id)) {
    Secret key(KEY_BYTES);
    for (auto& master : masters) {
      for (uint64_t generation = 1; generation <= file.generation + 3; ++generation) {
        if (KeyWrapper(master).unwrap(*wrapped, keyContext(generation, id), key)) return true;
      }
    }
  }
  return false;
}

// All that ever was in the files of a key tree.
using Copies = std::map<std::string, std::vector<Bytes>>;

// The keys of all tops that one of these masters opens, whatever epoch the thief writes into it.
inline kj::Vector<Secret> topKeysOf(const kj::Vector<Secret>& masters, const Copies& copies) {
  kj::Vector<Secret> result;
  Secret key(KEY_BYTES);
  for (auto& top : copies.at(TOP_FILE.cStr())) {
    auto file = TopFile::decode(kj::arrayPtr(top.data(), top.size()), "top"_kj);
    if (file.epoch == 0) continue;
    WrappedKey wrapped;
    REQUIRE(file.wrapped.size() == sizeof(wrapped));
    memcpy(&wrapped, file.wrapped.begin(), sizeof(wrapped));
    for (auto& master : masters) {
      for (uint64_t epoch = 1; epoch <= file.epoch + 3; ++epoch) {
        if (KeyWrapper(master).unwrap(wrapped, topKeyContext(epoch), key)) result.add(key.clone());
      }
    }
  }
  return result;
}

// Whether one of these masters opens the key of this id through any copies of tops and nodes, each top with
// the key of any other.
inline bool opensKey(const kj::Vector<Secret>& masters, const Copies& copies, kj::StringPtr id) {
  auto content = [](const Bytes& copy) { return kj::arrayPtr(copy.data(), copy.size()); };
  auto opensIn = [&](const Secret& nodeKey, uint64_t number) {
    auto found = copies.find(nodeFileName(number).cStr());
    if (found == copies.end()) return false;
    Secret key(KEY_BYTES);
    for (auto& copy : found->second) {
      // A change that failed may have given the number to another node.
      kj::Maybe<NodeFile> file;
      kj::runCatchingExceptions(
          [&]() { file = NodeFile::decode(content(copy), "node"_kj, nodeKey); });
      KJ_IF_MAYBE (node, file) {
        KJ_IF_MAYBE (wrapped, node->find(id)) {
          if (KeyWrapper(nodeKey).unwrap(*wrapped, nodeKeyContext(number, id), key)) return true;
        }
      }
    }
    return false;
  };
  Secret nodeKey(KEY_BYTES);
  for (auto& topKey : topKeysOf(masters, copies)) {
    KeyWrapper wrapper(topKey);
    for (auto& top : copies.at(TOP_FILE.cStr())) {
      auto file = TopFile::decode(content(top), "top"_kj);
      for (auto& node : file.nodes) {
        auto context = nodeContext(file.epoch, node.number, node.slot);
        if (wrapper.unwrap(node.wrapped, context, nodeKey) && opensIn(nodeKey, node.number)) {
          return true;
        }
      }
    }
  }
  return false;
}

}  // namespace bothy
