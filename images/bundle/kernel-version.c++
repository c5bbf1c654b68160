#include "bundle/kernel-version.h"

#include <string.h>

namespace bothy {
namespace {

constexpr kj::StringPtr BANNER = "Linux version "_kj;
constexpr size_t MAX_VERSION_BYTES = 64;  // of utsname's release

bool isVersionCharacter(kj::byte c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
         c == '-' || c == '+' || c == '_' || c == '~';
}

}  // namespace

kj::Maybe<kj::String> kernelVersionOf(kj::ArrayPtr<const kj::byte> vmlinux) {
  while (true) {
    auto found = static_cast<const kj::byte*>(
        memmem(vmlinux.begin(), vmlinux.size(), BANNER.begin(), BANNER.size()));
    if (found == nullptr) return nullptr;
    auto rest = kj::arrayPtr(found + BANNER.size(), vmlinux.end());
    size_t length = 0;
    while (length < rest.size() && length < MAX_VERSION_BYTES && isVersionCharacter(rest[length])) {
      ++length;
    }
    // A format string of the same words has a '%' here.
    bool isBanner = length > 0 && rest[0] >= '0' && rest[0] <= '9' && length < rest.size() &&
                    rest[length] == ' ';
    if (isBanner) return kj::heapString(rest.slice(0, length).asChars());
    vmlinux = rest;
  }
}

}  // namespace bothy
