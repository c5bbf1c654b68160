#include "volume/memory-seal.h"

#include <string.h>

#include <kj/debug.h>
#include <kj/vector.h>

#include "volume/big-endian.h"
#include "volume/qcow2-image.h"

namespace bothy {
namespace {

// Whatever reads or writes sectors takes it whole.
constexpr uint64_t SECTOR_BYTES = 512;
constexpr kj::StringPtr MAGIC = "BthSlp01"_kj;
constexpr kj::StringPtr CONTEXT = "bothy: of which sleep it is"_kj;

struct Seal {
  kj::byte magic[8];
  BigEndian<uint64_t> generation;
  kj::byte code[32];
};
static_assert(sizeof(Seal) == SEAL_BYTES);

}  // namespace

uint64_t sealOffset() {
  return LUKS_AREA_BYTES - SECTOR_BYTES;
}

kj::Array<kj::byte> newSeal(MessageCode code, Sealed what, kj::StringPtr id, uint64_t generation,
                            const Secret& key) {
  Seal seal;
  memcpy(seal.magic, MAGIC.begin(), sizeof(seal.magic));
  seal.generation = generation;
  kj::Vector<kj::byte> text;
  text.addAll(CONTEXT.asBytes());
  text.add(static_cast<kj::byte>(what));
  text.addAll(bytesOf(seal.generation));
  text.addAll(id.asBytes());
  code(text, key, seal.code);
  return kj::heapArray(bytesOf(seal));
}

kj::Maybe<uint64_t> generationOf(MessageCode code, kj::ArrayPtr<const kj::byte> bytes, Sealed what,
                                 kj::StringPtr id, const Secret& key) {
  auto found = layoutAt<Seal>(bytes);
  if (memcmp(found.magic, MAGIC.begin(), sizeof(found.magic)) != 0) return nullptr;
  const auto generation = found.generation.get();
  auto wanted = newSeal(code, what, id, generation, key);
  if (wanted.asPtr() != bytesOf(found)) return nullptr;
  return generation;
}

}  // namespace bothy
