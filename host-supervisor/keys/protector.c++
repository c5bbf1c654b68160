#include "keys/protector.h"

#include <openssl/evp.h>
#include <stdint.h>
#include <stdlib.h>

#include <kj/debug.h>

#include "keys/file-content.h"
#include "keys/private-file.h"
#include "secret/random-bytes.h"

namespace bothy {
namespace {

using Kind = ProtectorSetting::Kind;

// 128 * N * r bytes, and a little for OpenSSL itself.
uint64_t scryptBytes(const KeyDerivation& derivation) {
  constexpr uint64_t OVERHEAD = 1024 * 1024;
  return ((uint64_t(128) * derivation.r) << derivation.log2N) + OVERHEAD;
}

Secret readKey(kj::StringPtr path) {
  auto key = readPrivateFile(path, KEY_BYTES);
  if (key.bytes().size() != KEY_BYTES) {
    refuseFile(path, kj::str("it has ", key.bytes().size(), " bytes; a key has ", KEY_BYTES));
  }
  return key;
}

// As `readPrivateFile`, without the newline that editors and echo add.
Secret scryptOfPassphrase(kj::StringPtr path, const KeyDerivation& derivation) {
  auto content = readPrivateFile(path, MAX_PASSPHRASE_BYTES + 1);
  auto passphrase = content.bytes();
  if (passphrase.back() == '\n') passphrase = passphrase.slice(0, passphrase.size() - 1);
  if (passphrase.size() == 0 || passphrase.size() > MAX_PASSPHRASE_BYTES) {
    refuseFile(path, kj::str("a passphrase has 1 to ", MAX_PASSPHRASE_BYTES, " bytes, not ",
                             passphrase.size()));
  }
  Secret key(KEY_BYTES);
  if (EVP_PBE_scrypt(passphrase.asChars().begin(), passphrase.size(), derivation.salt, SALT_BYTES,
                     uint64_t(1) << derivation.log2N, derivation.r, derivation.p,
                     scryptBytes(derivation), key.bytes().begin(), KEY_BYTES) != 1) {
    uint64_t bytes = scryptBytes(derivation);
    kj::throwFatalException(KJ_EXCEPTION(
        OVERLOADED, "scrypt failed: the host has not the memory that it takes", bytes));
  }
  return key;
}

}  // namespace

Protector::Protector(ProtectorSetting setting, ScryptCost cost)
    : setting(kj::mv(setting)), cost(cost) {}

kj::String Protector::path() const {
  if (setting.kind != Kind::CREDENTIAL) return kj::str(setting.place);
  const char* directory = getenv("CREDENTIALS_DIRECTORY");
  if (directory == nullptr) {
    kj::throwFatalException(
        KJ_EXCEPTION(FAILED,
                     "CREDENTIALS_DIRECTORY is not set: start bothyd by systemd with "
                     "LoadCredential= or LoadCredentialEncrypted= of this credential",
                     setting.place));
  }
  return kj::str(directory, "/", setting.place);
}

Secret Protector::derive(const KeyDerivation& derivation) const {
  return setting.kind == Kind::PASSPHRASE_FILE ? scryptOfPassphrase(path(), derivation)
                                               : readKey(path());
}

Protector::Made Protector::make() const {
  KeyDerivation derivation;
  if (setting.kind == Kind::PASSPHRASE_FILE) {
    derivation.kind = KeyDerivation::Kind::SCRYPT;
    derivation.log2N = cost.log2N;
    derivation.r = cost.r;
    derivation.p = cost.p;
    fillRandom(derivation.salt);
  } else if (setting.ifMissing == ProtectorSetting::IfMissing::CREATE) {
    createKeyFile(path());
  }
  return {derivation, derive(derivation)};
}

Secret Protector::unlock(const KeyDerivation& derivation) const {
  bool wantsPassphrase = derivation.kind == KeyDerivation::Kind::SCRYPT;
  if (wantsPassphrase != (setting.kind == Kind::PASSPHRASE_FILE)) {
    kj::throwFatalException(KJ_EXCEPTION(
        FAILED, kj::str("the keyring was made with a ", wantsPassphrase ? "passphrase" : "key",
                        ", and key-protector names ", describe(), ": name what it was made with")));
  }
  return derive(derivation);
}

kj::String Protector::describe() const {
  switch (setting.kind) {
    case Kind::KEY_FILE:
      return kj::str("the key file ", setting.place);
    case Kind::PASSPHRASE_FILE:
      return kj::str("the passphrase in ", setting.place);
    case Kind::CREDENTIAL:
      return kj::str("the credential ", setting.place);
  }
  KJ_UNREACHABLE;
}

}  // namespace bothy
