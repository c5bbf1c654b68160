#include "workspace/randomness.h"

#include <kj/debug.h>
#include <sys/random.h>

namespace bothy {

void KernelRandomness::fill(kj::ArrayPtr<kj::byte> bytes) {
  while (bytes.size() > 0) {
    ssize_t count;
    KJ_SYSCALL(count = getrandom(bytes.begin(), bytes.size(), 0));
    bytes = bytes.slice(count, bytes.size());
  }
}

}  // namespace bothy
