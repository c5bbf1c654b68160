#pragma once

#include "keys/sha256.h"
#include "secret/randomness.h"
#include "secret/secret.h"

namespace bothy {

// What gives whoever has it a session: 256 random bits.  It is found by its hash, which says nothing of it.
class SessionToken final {
public:
  static SessionToken generate(Randomness& randomness);

  Sha256 hash() const { return Sha256::of(bits.bytes()); }
  // As people and programs have it, see `Sessions.create`: TEXT_BYTES characters.
  Secret text() const;

  static constexpr size_t BYTES = 32;
  // Of what stands before it.
  static constexpr size_t CHECKSUM_BYTES = 4;
  static constexpr size_t PREFIX_BYTES = 8;  // "bothy_s_"
  static constexpr size_t TEXT_BYTES = PREFIX_BYTES + 2 * (BYTES + CHECKSUM_BYTES);

private:
  explicit SessionToken(Secret bits) : bits(kj::mv(bits)) {}
  Secret bits;
};

// The hash of the token that `text` is; none where it is no token.
kj::Maybe<Sha256> hashOfToken(kj::ArrayPtr<const char> text);

}  // namespace bothy
