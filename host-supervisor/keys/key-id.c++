#include "keys/key-id.h"

#include <kj/debug.h>

namespace bothy {

bool isKeyId(kj::StringPtr id) {
  if (id.size() == 0 || id.size() > MAX_KEY_ID_BYTES) return false;
  for (char c : id) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) return false;
  }
  return true;
}

void requireKeyId(kj::StringPtr id) {
  KJ_REQUIRE(isKeyId(id), "a key's id is 1 to 63 of [a-z0-9-]", id);
}

}  // namespace bothy
