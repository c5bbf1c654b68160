#include "digest/digest.h"

#include <openssl/evp.h>

#include <kj/debug.h>
#include <kj/encoding.h>

namespace bothy {
namespace {

constexpr size_t PIECE_BYTES = 1 << 20;

class Hasher {
public:
  Hasher() : context(EVP_MD_CTX_new()) {
    KJ_ASSERT(context != nullptr);
    KJ_ASSERT(EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1);
  }
  ~Hasher() noexcept { EVP_MD_CTX_free(context); }
  KJ_DISALLOW_COPY_AND_MOVE(Hasher);

  void add(kj::ArrayPtr<const kj::byte> piece) {
    KJ_ASSERT(EVP_DigestUpdate(context, piece.begin(), piece.size()) == 1);
    bytes += piece.size();
  }

  Digest finish() {
    kj::byte hash[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    KJ_ASSERT(EVP_DigestFinal_ex(context, hash, &size) == 1);
    return {kj::encodeHex(kj::arrayPtr(hash, size)), bytes};
  }

private:
  EVP_MD_CTX* context;
  uint64_t bytes = 0;
};

}  // namespace

Digest digestOf(kj::ArrayPtr<const kj::byte> content) {
  Hasher hasher;
  hasher.add(content);
  return hasher.finish();
}

Digest digestOf(const kj::ReadableFile& file) {
  Hasher hasher;
  auto buffer = kj::heapArray<kj::byte>(PIECE_BYTES);
  for (uint64_t offset = 0;;) {
    size_t count = file.read(offset, buffer);
    hasher.add(buffer.slice(0, count));
    if (count < buffer.size()) return hasher.finish();
    offset += count;
  }
}

}  // namespace bothy
