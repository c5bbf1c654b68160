#include "keys/protector.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "keys/private-file.h"
#include "keys/test-keyring.h"

namespace bothy {
namespace {

using Kind = ProtectorSetting::Kind;

constexpr ScryptCost CHEAP = {MIN_SCRYPT_LOG2_N, 8, 1};

struct Fixture {
  TestDirectory directory;

  kj::String write(kj::StringPtr name, kj::StringPtr content) {
    directory.write(name, content);
    auto path = directory.at(name);
    KJ_SYSCALL(chmod(path.cStr(), 0600));
    return path;
  }
  Protector passphrase(kj::StringPtr content) {
    return Protector({Kind::PASSPHRASE_FILE, write("passphrase", content)}, CHEAP);
  }
};

TEST_CASE("a key file is the key itself, and has 32 bytes") {
  Fixture f;
  Protector protector({Kind::KEY_FILE, f.write("key", "0123456789abcdef0123456789abcdef")});
  auto made = protector.make();
  CHECK(made.derivation.kind == KeyDerivation::Kind::NONE);
  CHECK(made.key.bytes() == "0123456789abcdef0123456789abcdef"_kj.asBytes());
  CHECK(protector.unlock(made.derivation).bytes() == made.key.bytes());
  f.write("key", "0123456789abcdef0123456789abcde");
  CHECK(says(failureOf([&]() { protector.make(); }), "it has 31 bytes; a key has 32"));
  f.write("key", "0123456789abcdef0123456789abcdef\n");
  CHECK(says(failureOf([&]() { protector.make(); }), "it has more than 32 bytes"));
}

TEST_CASE("a key file is made only where the setting says so") {
  Fixture f;
  auto path = f.directory.at("key");
  CHECK(says(failureOf([&]() { Protector({Kind::KEY_FILE, kj::str(path)}).make(); }), path));
  CHECK_FALSE(f.directory.has("key"));
  Protector protector({Kind::KEY_FILE, kj::str(path), ProtectorSetting::IfMissing::CREATE});
  CHECK_THROWS(protector.unlock({}));
  CHECK_FALSE(f.directory.has("key"));
  CHECK(protector.make().key.bytes() == readPrivateFile(path, KEY_BYTES).bytes());
}

// The vector is Python's hashlib.scrypt(b"pleaseletmein", salt=b"SodiumChloride!!", n=2**14, r=8, p=1):
// RFC 7914 itself has none with a salt of 16 bytes.
TEST_CASE("a passphrase becomes a key by scrypt as RFC 7914 has it") {
  Fixture f;
  Protector protector = f.passphrase("pleaseletmein");
  KeyDerivation derivation{KeyDerivation::Kind::SCRYPT, 14, 8, 1, {}};
  memcpy(derivation.salt, "SodiumChloride!!", SALT_BYTES);
  constexpr kj::byte EXPECTED[] = {0x52, 0x66, 0x32, 0x34, 0x33, 0xbf, 0x61, 0x1b, 0x85, 0x9a, 0xc8,
                                   0x00, 0xe8, 0x92, 0xb9, 0x6d, 0xa3, 0x35, 0xa9, 0x32, 0x70, 0xd5,
                                   0xb1, 0x6f, 0x5f, 0x66, 0xab, 0x7b, 0x50, 0xf6, 0x38, 0x17};
  CHECK(protector.unlock(derivation).bytes() == kj::arrayPtr(EXPECTED, KEY_BYTES));
}

TEST_CASE("one newline at the end of a passphrase does not count, other bytes do") {
  Fixture f;
  auto made = f.passphrase("horse").make();
  auto isSame = [&](kj::StringPtr content) {
    return f.passphrase(content).unlock(made.derivation).bytes() == made.key.bytes();
  };
  CHECK(isSame("horse\n"));
  CHECK_FALSE(isSame("horse\n\n"));
  CHECK_FALSE(isSame("horse "));
  CHECK_FALSE(isSame("Horse"));
  // Another keyring has another salt.
  CHECK(f.passphrase("horse").make().key.bytes() != made.key.bytes());
}

TEST_CASE("a passphrase has 1 to 1024 bytes") {
  Fixture f;
  f.passphrase(kj::str(kj::repeat('a', 1024), '\n')).make();
  for (auto& wrong : {kj::str(kj::repeat('a', 1025)), kj::str('\n')}) {
    CHECK(
        says(failureOf([&]() { f.passphrase(wrong).make(); }), "a passphrase has 1 to 1024 bytes"));
  }
  CHECK(says(failureOf([&]() { f.passphrase(kj::str(kj::repeat('a', 1026))).make(); }),
             "it has more than 1025 bytes"));
}

TEST_CASE("a credential is a key file where systemd put it") {
  Fixture f;
  f.write("bothy-key", "0123456789abcdef0123456789abcdef");
  Protector protector({Kind::CREDENTIAL, kj::str("bothy-key")});
  unsetenv("CREDENTIALS_DIRECTORY");
  CHECK(says(failureOf([&]() { protector.make(); }), "LoadCredential="));
  setenv("CREDENTIALS_DIRECTORY", f.directory.path.cStr(), 1);
  KJ_DEFER(unsetenv("CREDENTIALS_DIRECTORY"));
  CHECK(protector.make().key.bytes() == "0123456789abcdef0123456789abcdef"_kj.asBytes());
}

TEST_CASE("a protector of another kind than the keyring's is told apart from a wrong one") {
  Fixture f;
  KeyDerivation scrypt{KeyDerivation::Kind::SCRYPT, MIN_SCRYPT_LOG2_N, 8, 1, {}};
  Protector key({Kind::KEY_FILE, f.write("key", "0123456789abcdef0123456789abcdef")});
  CHECK(says(failureOf([&]() { key.unlock(scrypt); }),
             kj::str("made with a passphrase, and key-protector names the key file ",
                     f.directory.at("key"))));
  auto phrase = f.passphrase("horse");
  CHECK(says(failureOf([&]() { phrase.unlock({}); }),
             "made with a key, and key-protector names the passphrase in"));
}

}  // namespace
}  // namespace bothy
