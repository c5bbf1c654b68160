#pragma once

#include "keys/master-file.h"
#include "keys/protector-setting.h"

namespace bothy {

constexpr size_t MAX_PASSPHRASE_BYTES = 1024;

// What scrypt costs a new keyring: 128 MiB and some tenths of a second.  An old one has its own in its file.
struct ScryptCost {
  uint8_t log2N = 17;
  uint8_t r = 8;
  uint8_t p = 1;
};

// The outer secret of a keyring.  Keeps none of it: each call reads it again.
class Protector final {
public:
  explicit Protector(ProtectorSetting setting, ScryptCost cost = {});

  struct Made {
    KeyDerivation derivation;
    Secret key;
  };
  // For a new keyring.  Makes the key file if the setting says so.
  Made make() const;
  // For one that was made with `derivation`.  Refuses one that was made with another kind of protector.
  Secret unlock(const KeyDerivation& derivation) const;

  // For messages: "the key file PATH".
  kj::String describe() const;

private:
  ProtectorSetting setting;
  ScryptCost cost;

  kj::String path() const;
  Secret derive(const KeyDerivation& derivation) const;
};

}  // namespace bothy
