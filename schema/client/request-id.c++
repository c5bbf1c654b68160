#include "client/request-id.h"

#include <sys/random.h>

#include <kj/debug.h>
#include <kj/encoding.h>

namespace bothy {
namespace {

constexpr size_t REQUEST_ID_BYTES = 16;

}  // namespace

kj::String newRequestId() {
  kj::byte bytes[REQUEST_ID_BYTES];
  ssize_t size;
  KJ_SYSCALL(size = getrandom(bytes, sizeof(bytes), 0));
  KJ_ASSERT(size == sizeof(bytes));
  return kj::encodeHex(bytes);
}

}  // namespace bothy
