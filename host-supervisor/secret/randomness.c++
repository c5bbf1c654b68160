#include "secret/randomness.h"

#include "secret/random-bytes.h"

namespace bothy {

void KernelRandomness::fill(kj::ArrayPtr<kj::byte> bytes) {
  fillRandom(bytes);
}

}  // namespace bothy
