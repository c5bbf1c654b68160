#pragma once

#include <kj/async.h>

#include <catch2/catch_test_macros.hpp>
#include <map>
#include <string>

#include "keys/keyring-file.h"
#include "keys/local-keyring.h"
#include "keys/master-file.h"
#include "keys/test-disk.h"
#include "tree/test-directory.h"

namespace bothy {

// A key file of its own, and keyrings under it.
struct KeyringWorld {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  TestDirectory directory;

  kj::String keyFile() const { return directory.at("protector"); }

  Protector protector() const {
    return Protector(
        {ProtectorSetting::Kind::KEY_FILE, keyFile(), ProtectorSetting::IfMissing::CREATE});
  }

  // What a keyring says: each id with its key.
  using Content = std::map<std::string, Bytes>;

  Content contentOf(KeyKeeper& keeper) {
    Content content;
    for (auto& id : keeper.list().wait(scope)) {
      content[id.cStr()] = bytesOf(keeper.open(id).wait(scope).bytes());
    }
    return content;
  }

  kj::Own<KeyKeeper> open(TestDisk& disk) {
    return openLocalKeyring(kj::heap<TestKeyFiles>(disk), protector());
  }
  Content contentOf(TestDisk disk) { return contentOf(*open(disk)); }
};

// All masters that a file `master` gives to one who has the protector.
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

// Whether one of these masters opens the key of this id in a copy of a keyring, whatever generation the
// thief writes into it.
inline bool opensKey(const kj::Vector<Secret>& masters, kj::ArrayPtr<const kj::byte> keyring,
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

}  // namespace bothy
