#pragma once

#include <stdint.h>

#include <kj/map.h>

#include "keys/key-wrapper.h"

namespace bothy {

constexpr size_t MAX_KEYS = 100'000;
constexpr size_t MAX_KEY_ID_BYTES = 63;

// [a-z0-9-], 1..MAX_KEY_ID_BYTES.
bool isKeyId(kj::StringPtr id);

// The file `keyring`; see README.md.
struct KeyringFile {
  // Of the master that all keys are wrapped under.
  uint64_t generation = 0;
  kj::TreeMap<kj::String, WrappedKey> keys;

  KeyringFile clone() const;

  // Sealed with the master.
  kj::Array<kj::byte> encode(const Secret& master) const;
  // Refuses what is damaged, naming `path`.  The seal is not looked at.
  static KeyringFile decode(kj::ArrayPtr<const kj::byte> content, kj::StringPtr path);
};

// Whether a file that was decoded was written as it is by one who has this master.
bool isSealedBy(const Secret& master, kj::ArrayPtr<const kj::byte> content);

// What a wrapped key is bound to.
kj::Array<kj::byte> keyContext(uint64_t generation, kj::StringPtr id);

constexpr size_t KEYRING_HEADER_BYTES = 22;
constexpr size_t MAX_KEYRING_FILE_BYTES =
    KEYRING_HEADER_BYTES + MAX_KEYS * (1 + MAX_KEY_ID_BYTES + sizeof(WrappedKey)) + sizeof(Seal);

}  // namespace bothy
