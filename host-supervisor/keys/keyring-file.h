#pragma once

#include <stdint.h>

#include <kj/map.h>

#include "keys/key-id.h"
#include "keys/key-wrapper.h"

namespace bothy {

constexpr size_t MAX_OLD_KEYS = 100'000;

// The file `keyring` of before the key tree; see README.md.  It is written by tests alone.
struct KeyringFile {
  // Of the master that all keys are wrapped under.
  uint64_t generation = 0;
  kj::TreeMap<kj::String, WrappedKey> keys;

  // Sealed with the master.
  kj::Array<kj::byte> encode(const Secret& master) const;
  // Refuses what is damaged, naming `path`.  The seal is not looked at: each key has a tag of its own.
  static KeyringFile decode(kj::ArrayPtr<const kj::byte> content, kj::StringPtr path);
};

// What a wrapped key is bound to.
kj::Array<kj::byte> keyContext(uint64_t generation, kj::StringPtr id);

constexpr kj::StringPtr KEYRING_FILE = "keyring"_kj;
constexpr size_t KEYRING_HEADER_BYTES = 22;
constexpr size_t MAX_KEYRING_FILE_BYTES =
    KEYRING_HEADER_BYTES + MAX_OLD_KEYS * (1 + MAX_KEY_ID_BYTES + sizeof(WrappedKey)) +
    sizeof(Seal);

}  // namespace bothy
