#include "keys/message-code.h"

#include <string.h>

#include <kj/encoding.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("a message's code is HMAC-SHA256 with the key (RFC 4231, test case 2)") {
  Secret key(4);
  memcpy(key.bytes().begin(), "Jefe", 4);
  kj::byte code[MESSAGE_CODE_BYTES];
  messageCode("what do ya want for nothing?"_kj.asBytes(), key, code);
  CHECK(kj::encodeHex(code) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

}  // namespace
}  // namespace bothy
