#include "secret/random-bytes.h"

#include <sys/random.h>

#include <kj/debug.h>

namespace bothy {

void fillRandom(kj::ArrayPtr<kj::byte> bytes) {
  while (bytes.size() > 0) {
    ssize_t count;
    KJ_SYSCALL(count = getrandom(bytes.begin(), bytes.size(), 0));
    bytes = bytes.slice(count, bytes.size());
  }
}

}  // namespace bothy
