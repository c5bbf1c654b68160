#include "keys/message-code.h"

#include <kj/debug.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace bothy {

void messageCode(kj::ArrayPtr<const kj::byte> message, const Secret& key,
                 kj::ArrayPtr<kj::byte> code) {
  KJ_REQUIRE(code.size() == MESSAGE_CODE_BYTES);
  unsigned size = 0;
  auto bytes = key.bytes();
  auto made = HMAC(EVP_sha256(), bytes.begin(), static_cast<int>(bytes.size()), message.begin(),
                   message.size(), code.begin(), &size);
  KJ_ASSERT(made != nullptr && size == MESSAGE_CODE_BYTES);
}

}  // namespace bothy
