#pragma once

#include <stdint.h>

#include <kj/array.h>
#include <kj/string.h>

#include "keys/key-wrapper.h"

namespace bothy {

constexpr size_t SALT_BYTES = 16;
constexpr size_t MAX_GENERATIONS = 2;
// What is larger is not ours.
constexpr size_t MAX_MASTER_FILE_BYTES = 2 * 4096;

// How the bytes of a protector become the key that masters are wrapped under.
struct KeyDerivation {
  enum class Kind : uint8_t { NONE = 0, SCRYPT = 1 };
  Kind kind = Kind::NONE;
  // RFC 7914's N is 2^log2N.  All zero without scrypt.
  uint8_t log2N = 0;
  uint8_t r = 0;
  uint8_t p = 0;
  kj::byte salt[SALT_BYTES] = {};
};

// N, r and p beyond which a file is refused: it must not make bothyd take more than 1 GiB for a passphrase.
constexpr uint8_t MIN_SCRYPT_LOG2_N = 10;
constexpr uint8_t MAX_SCRYPT_LOG2_N = 20;
constexpr uint8_t MAX_SCRYPT_R = 8;
constexpr uint8_t MAX_SCRYPT_P = 4;

struct MasterGeneration {
  // From 1 on.
  uint64_t number;
  WrappedKey wrapped;
};

// The file `master`; see README.md.
struct MasterFile {
  KeyDerivation derivation;
  // 1 or 2; the second is the first's successor.
  kj::Array<MasterGeneration> generations;
  // It was read from a file of before the tree, which has its content once.
  bool isOld = false;

  kj::Array<kj::byte> encode() const;
  // Of one copy of the content, or of the whole file of before the key tree.  Refuses what is damaged,
  // naming `path`.
  static MasterFile decode(kj::ArrayPtr<const kj::byte> copy, kj::StringPtr path);

  kj::Maybe<const MasterGeneration&> find(uint64_t number) const;
};

// What a wrapped master is bound to.
kj::Array<kj::byte> masterContext(uint64_t generation);

}  // namespace bothy
