#include "rpc/gate-key.h"

namespace bothy {

bool GateKey::isOpenedBy(kj::ArrayPtr<const kj::byte> offered) const {
  if (secret.size() == 0 || offered.size() != secret.size()) {
    return false;
  }
  kj::byte difference = 0;
  for (auto i : kj::indices(offered)) {
    difference |= offered[i] ^ secret[i];
  }
  // Read through volatile, so that no compiler stops at the first difference.
  volatile kj::byte result = difference;
  return result == 0;
}

}  // namespace bothy
