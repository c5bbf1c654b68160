#include "keys/master-file.h"

#include <string.h>

#include <kj/debug.h>

#include "keys/byte-layout.h"
#include "keys/file-content.h"
#include "keys/sha256.h"
#include "keys/twin-content.h"

namespace bothy {
namespace {

constexpr kj::StringPtr MAGIC = "BOTHYMST"_kj;
constexpr uint16_t VERSION = 2;
// Before the key tree: without a length.
constexpr uint16_t OLD_VERSION = 1;
// Of what masters are bound to, which the new file did not change.
constexpr uint16_t CONTEXT_VERSION = 1;
constexpr size_t OLD_HEADER_BYTES = 10;
constexpr size_t DIGEST_BYTES = sizeof(Sha256::bytes);

// Tells damage from a wrong protector; it protects against nobody.
Sha256 digestOf(kj::ArrayPtr<const kj::byte> content) {
  return Sha256::of(content);
}

bool isWithinLimits(const KeyDerivation& derivation) {
  switch (derivation.kind) {
    case KeyDerivation::Kind::NONE: {
      bool isZero = derivation.log2N == 0 && derivation.r == 0 && derivation.p == 0;
      for (auto byte : derivation.salt) isZero = isZero && byte == 0;
      return isZero;
    }
    case KeyDerivation::Kind::SCRYPT:
      return derivation.log2N >= MIN_SCRYPT_LOG2_N && derivation.log2N <= MAX_SCRYPT_LOG2_N &&
             derivation.r >= 1 && derivation.r <= MAX_SCRYPT_R && derivation.p >= 1 &&
             derivation.p <= MAX_SCRYPT_P;
  }
  return false;
}

}  // namespace

kj::Array<kj::byte> MasterFile::encode() const {
  KJ_REQUIRE(generations.size() >= 1 && generations.size() <= MAX_GENERATIONS);
  LayoutWriter writer;
  writer.header(MAGIC, VERSION);
  writer.number(static_cast<uint8_t>(derivation.kind));
  writer.number(derivation.log2N);
  writer.number(derivation.r);
  writer.number(derivation.p);
  writer.bytes(derivation.salt);
  writer.number(static_cast<uint8_t>(generations.size()));
  for (auto& generation : generations) {
    writer.number(generation.number);
    writer.bytes(asBytes(generation.wrapped));
  }
  writer.setLength(writer.written().size() + DIGEST_BYTES);
  auto digest = digestOf(writer.written());
  writer.bytes(digest.bytes);
  return writer.finish();
}

MasterFile MasterFile::decode(kj::ArrayPtr<const kj::byte> copy, kj::StringPtr path) {
  bool isOld = LayoutReader(copy, path).header(MAGIC, VERSION) == OLD_VERSION;
  auto content = isOld ? copy : contentIn(copy, path, MAGIC, VERSION);
  LayoutReader reader(content, path);
  reader.bytes(isOld ? OLD_HEADER_BYTES : CONTENT_HEADER_BYTES);
  if (reader.remaining() < DIGEST_BYTES) refuseFile(path, "it ends too early, so it is damaged");
  size_t signedBytes = content.size() - DIGEST_BYTES;
  if (asBytes(digestOf(content.slice(0, signedBytes))) !=
      content.slice(signedBytes, content.size())) {
    refuseFile(path, "its checksum is not that of its content, so it is damaged");
  }

  MasterFile result;
  result.isOld = isOld;
  auto& derivation = result.derivation;
  derivation.kind = static_cast<KeyDerivation::Kind>(reader.number<uint8_t>());
  derivation.log2N = reader.number<uint8_t>();
  derivation.r = reader.number<uint8_t>();
  derivation.p = reader.number<uint8_t>();
  memcpy(derivation.salt, reader.bytes(SALT_BYTES).begin(), SALT_BYTES);
  if (!isWithinLimits(derivation)) {
    refuseFile(path, "how it is protected is unknown or beyond the limits of scrypt");
  }

  size_t count = reader.number<uint8_t>();
  if (count < 1 || count > MAX_GENERATIONS) refuseFile(path, "it has not 1 or 2 generations");
  auto generations = kj::heapArrayBuilder<MasterGeneration>(count);
  for (size_t i = 0; i < count; ++i) {
    auto number = reader.number<uint64_t>();
    if (number == 0 || (i > 0 && number != generations[0].number + 1)) {
      refuseFile(path, "its generations do not follow each other");
    }
    generations.add(MasterGeneration{number, reader.bytesOf<WrappedKey>()});
  }
  if (reader.remaining() != DIGEST_BYTES) refuseFile(path, "it has more than its generations");
  result.generations = generations.finish();
  return result;
}

kj::Maybe<const MasterGeneration&> MasterFile::find(uint64_t number) const {
  for (auto& generation : generations) {
    if (generation.number == number) return generation;
  }
  return nullptr;
}

kj::Array<kj::byte> masterContext(uint64_t generation) {
  LayoutWriter writer;
  writer.bytes(MAGIC.asBytes());
  writer.number(CONTEXT_VERSION);
  writer.number(generation);
  return writer.finish();
}

}  // namespace bothy
