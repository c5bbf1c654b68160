#include "keys/sha256.h"

#include <kj/debug.h>
#include <openssl/evp.h>
#include <string.h>

namespace bothy {

Sha256 Sha256::of(kj::ArrayPtr<const kj::byte> content) {
  Sha256 result;
  KJ_ASSERT(EVP_Digest(content.begin(), content.size(), result.bytes, nullptr, EVP_sha256(),
                       nullptr) == 1);
  return result;
}

kj::uint Sha256::hashCode() const {
  kj::uint first;
  memcpy(&first, bytes, sizeof(first));
  return first;
}

}  // namespace bothy
