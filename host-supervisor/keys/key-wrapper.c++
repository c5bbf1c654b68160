#include "keys/key-wrapper.h"

#include <limits.h>
#include <openssl/evp.h>
#include <string.h>

#include <kj/debug.h>

#include "secret/random-bytes.h"

namespace bothy {

KeyWrapper::KeyWrapper(const Secret& under) : context(EVP_CIPHER_CTX_new()) {
  KJ_ASSERT(context != nullptr, "OpenSSL has no memory");
  KJ_ON_SCOPE_FAILURE(EVP_CIPHER_CTX_free(context));
  KJ_REQUIRE(under.bytes().size() == KEY_BYTES);
  // Once: the schedule of the key takes longer than a wrap.
  KJ_ASSERT(EVP_CipherInit_ex(context, EVP_aes_256_gcm(), nullptr, under.bytes().begin(), nullptr,
                              1) == 1,
            "this OpenSSL has no AES-256-GCM");
}

KeyWrapper::~KeyWrapper() noexcept(false) {
  EVP_CIPHER_CTX_free(context);
}

void KeyWrapper::nextNonce(kj::byte* nonce) {
  if (unused == 0) {
    fillRandom(randomness);
    unused = sizeof(randomness);
  }
  unused -= NONCE_BYTES;
  memcpy(nonce, randomness + unused, NONCE_BYTES);
}

void KeyWrapper::begin(const kj::byte* nonce, bool encrypts,
                       kj::ArrayPtr<const kj::byte> associated) {
  KJ_REQUIRE(associated.size() <= INT_MAX);
  KJ_ASSERT(EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, nonce, encrypts) == 1);
  int count = 0;
  KJ_ASSERT(EVP_CipherUpdate(context, nullptr, &count, associated.begin(), associated.size()) == 1);
}

WrappedKey KeyWrapper::wrap(const Secret& key, kj::ArrayPtr<const kj::byte> associated) {
  KJ_REQUIRE(key.bytes().size() == KEY_BYTES);
  WrappedKey result;
  nextNonce(result.nonce);
  begin(result.nonce, true, associated);
  int count = 0;
  KJ_ASSERT(EVP_CipherUpdate(context, result.content, &count, key.bytes().begin(), KEY_BYTES) == 1);
  KJ_ASSERT(count == KEY_BYTES);
  // GCM is a stream: nothing is left to write.
  KJ_ASSERT(EVP_CipherFinal_ex(context, result.tag, &count) == 1 && count == 0);
  KJ_ASSERT(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, result.tag) == 1);
  return result;
}

bool KeyWrapper::unwrap(const WrappedKey& wrapped, kj::ArrayPtr<const kj::byte> associated,
                        Secret& key) {
  KJ_REQUIRE(key.bytes().size() == KEY_BYTES);
  begin(wrapped.nonce, false, associated);
  int count = 0;
  KJ_ASSERT(EVP_CipherUpdate(context, key.bytes().begin(), &count, wrapped.content, KEY_BYTES) ==
            1);
  KJ_ASSERT(count == KEY_BYTES);
  KJ_ASSERT(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES,
                                const_cast<kj::byte*>(wrapped.tag)) == 1);
  kj::byte nothing[TAG_BYTES];
  if (EVP_CipherFinal_ex(context, nothing, &count) == 1) return true;
  // What was decrypted before the tag was looked at is no key.
  memset(key.bytes().begin(), 0, KEY_BYTES);
  return false;
}

Seal KeyWrapper::seal(kj::ArrayPtr<const kj::byte> content) {
  Seal result;
  nextNonce(result.nonce);
  begin(result.nonce, true, content);
  int count = 0;
  KJ_ASSERT(EVP_CipherFinal_ex(context, result.tag, &count) == 1 && count == 0);
  KJ_ASSERT(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, result.tag) == 1);
  return result;
}

bool KeyWrapper::isSealed(const Seal& seal, kj::ArrayPtr<const kj::byte> content) {
  begin(seal.nonce, false, content);
  KJ_ASSERT(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES,
                                const_cast<kj::byte*>(seal.tag)) == 1);
  int count = 0;
  kj::byte nothing[TAG_BYTES];
  return EVP_CipherFinal_ex(context, nothing, &count) == 1;
}

bool endsWithSealOf(const Secret& key, kj::ArrayPtr<const kj::byte> content) {
  if (content.size() < sizeof(Seal)) return false;
  size_t size = content.size() - sizeof(Seal);
  Seal seal;
  memcpy(&seal, content.begin() + size, sizeof(seal));
  return KeyWrapper(key).isSealed(seal, content.slice(0, size));
}

Secret randomKey() {
  Secret key(KEY_BYTES);
  fillRandom(key.bytes());
  return key;
}

}  // namespace bothy
