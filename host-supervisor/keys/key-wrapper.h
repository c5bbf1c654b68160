#pragma once

#include <kj/array.h>

#include "keys/key-keeper.h"

struct evp_cipher_ctx_st;

namespace bothy {

constexpr size_t NONCE_BYTES = 12;
constexpr size_t TAG_BYTES = 16;

// A key under AES-256-GCM, as it may lie on a disk.
struct WrappedKey {
  kj::byte nonce[NONCE_BYTES];
  kj::byte content[KEY_BYTES];
  kj::byte tag[TAG_BYTES];
};

// Proves that bytes were written by one who has the key: AES-256-GCM of no content over them.
struct Seal {
  kj::byte nonce[NONCE_BYTES];
  kj::byte tag[TAG_BYTES];
};

// Wraps keys under another.  Holds OpenSSL's copy of that key, in memory that is not locked but is wiped at
// the end: keep it for one change at most.  Each wrap and each seal has a fresh random nonce.
class KeyWrapper final {
public:
  // `under` is KEY_BYTES long.
  explicit KeyWrapper(const Secret& under);
  ~KeyWrapper() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(KeyWrapper);

  // `context` is not kept; whoever unwraps must know it.
  WrappedKey wrap(const Secret& key, kj::ArrayPtr<const kj::byte> context);
  // False if it was not wrapped under this key with this context; `key` is then zeros.
  bool unwrap(const WrappedKey& wrapped, kj::ArrayPtr<const kj::byte> context, Secret& key);

  Seal seal(kj::ArrayPtr<const kj::byte> content);
  bool isSealed(const Seal& seal, kj::ArrayPtr<const kj::byte> content);

private:
  evp_cipher_ctx_st* context;
  // Random bytes for the next nonces: asking the kernel for each one costs more than a wrap.
  kj::byte randomness[64 * NONCE_BYTES];
  size_t unused = 0;

  void nextNonce(kj::byte* nonce);
  void begin(const kj::byte* nonce, bool encrypts, kj::ArrayPtr<const kj::byte> associated);
};

// Whether content that ends with a seal was written as it is by one who has this key.
bool endsWithSealOf(const Secret& key, kj::ArrayPtr<const kj::byte> content);

// A new random key of KEY_BYTES.
Secret randomKey();

}  // namespace bothy
