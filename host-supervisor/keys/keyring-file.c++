#include "keys/keyring-file.h"

#include <kj/debug.h>

#include "keys/byte-layout.h"
#include "keys/file-content.h"

namespace bothy {
namespace {

constexpr kj::StringPtr MAGIC = "BOTHYKEY"_kj;
constexpr uint16_t VERSION = 1;

static_assert(KEYRING_HEADER_BYTES == 8 + sizeof(VERSION) + sizeof(uint64_t) + sizeof(uint32_t));

}  // namespace

kj::Array<kj::byte> KeyringFile::encode(const Secret& master) const {
  LayoutWriter writer;
  writer.bytes(MAGIC.asBytes());
  writer.number(VERSION);
  writer.number(generation);
  writer.number(static_cast<uint32_t>(keys.size()));
  for (auto& entry : keys) {
    writer.number(static_cast<uint8_t>(entry.key.size()));
    writer.bytes(entry.key.asBytes());
    writer.bytes(asBytes(entry.value));
  }
  auto seal = KeyWrapper(master).seal(writer.written());
  writer.bytes(asBytes(seal));
  return writer.finish();
}

KeyringFile KeyringFile::decode(kj::ArrayPtr<const kj::byte> content, kj::StringPtr path) {
  LayoutReader reader(content, path);
  reader.header(MAGIC, VERSION);
  KeyringFile result;
  result.generation = reader.number<uint64_t>();
  if (result.generation == 0) refuseFile(path, "its generation is 0, so it is damaged");
  auto count = reader.number<uint32_t>();
  if (count > MAX_OLD_KEYS) {
    refuseFile(path, kj::str("it counts ", count, " keys; the limit is ", MAX_OLD_KEYS));
  }

  kj::String last;
  for (uint32_t i = 0; i < count; ++i) {
    auto id = kj::heapString(reader.bytes(reader.number<uint8_t>()).asChars());
    // Ascending, so none comes twice.
    if (!isKeyId(id) || (i > 0 && !(last < id))) {
      refuseFile(path, "its ids are not ids in ascending order, so it is damaged");
    }
    last = kj::heapString(id);
    result.keys.insert(kj::mv(id), reader.bytesOf<WrappedKey>());
  }
  if (reader.remaining() != sizeof(Seal)) {
    refuseFile(path, "its size is not that of the keys that it counts, so it is damaged");
  }
  return result;
}

kj::Array<kj::byte> keyContext(uint64_t generation, kj::StringPtr id) {
  LayoutWriter writer;
  writer.bytes(MAGIC.asBytes());
  writer.number(VERSION);
  writer.number(generation);
  writer.number(static_cast<uint8_t>(id.size()));
  writer.bytes(id.asBytes());
  return writer.finish();
}

}  // namespace bothy
