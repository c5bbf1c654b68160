#include "keys/node-file.h"

#include <algorithm>

#include "keys/byte-layout.h"
#include "keys/file-content.h"

namespace bothy {
namespace {

constexpr kj::StringPtr MAGIC = "BOTHYNOD"_kj;
constexpr uint16_t VERSION = 1;

}  // namespace

uint16_t slotOf(kj::StringPtr id) {
  // FNV-1a: ids need to be spread, not hidden.
  uint32_t hash = 2166136261;
  for (auto byte : id.asBytes()) hash = (hash ^ byte) * 16777619;
  return (hash ^ (hash >> 16)) % NODE_SLOTS;
}

kj::Maybe<const WrappedKey&> NodeFile::find(kj::StringPtr id) const {
  auto found = std::lower_bound(entries.begin(), entries.end(), id,
                                [](const Entry& entry, kj::StringPtr id) { return entry.id < id; });
  if (found == entries.end() || found->id != id) return nullptr;
  return found->wrapped;
}

kj::Array<kj::byte> NodeFile::encode(const Secret& nodeKey) const {
  LayoutWriter writer;
  writer.header(MAGIC, VERSION);
  writer.number(number);
  writer.number(slot);
  writer.number(static_cast<uint32_t>(entries.size()));
  for (auto& entry : entries) {
    writer.number(static_cast<uint8_t>(entry.id.size()));
    writer.bytes(entry.id.asBytes());
    writer.bytes(asBytes(entry.wrapped));
  }
  writer.setLength(writer.written().size() + sizeof(Seal));
  auto seal = KeyWrapper(nodeKey).seal(writer.written());
  writer.bytes(asBytes(seal));
  return writer.finish();
}

NodeFile NodeFile::decode(kj::ArrayPtr<const kj::byte> copy, kj::StringPtr path,
                          const Secret& nodeKey) {
  auto content = contentIn(copy, path, MAGIC, VERSION);
  if (!endsWithSealOf(nodeKey, content)) {
    refuseFile(path, "its seal is not that of its content, so it is damaged or another node");
  }
  LayoutReader reader(content, path);
  reader.bytes(CONTENT_HEADER_BYTES);
  NodeFile result;
  result.number = reader.number<uint64_t>();
  result.slot = reader.number<uint16_t>();
  auto count = reader.number<uint32_t>();
  if (count > MAX_NODE_KEYS) {
    refuseFile(path, kj::str("it counts ", count, " keys; the limit is ", MAX_NODE_KEYS));
  }
  result.entries.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    auto id = kj::heapString(reader.bytes(reader.number<uint8_t>()).asChars());
    // Ascending, so none comes twice.
    if (!isKeyId(id) || slotOf(id) != result.slot || (i > 0 && !(result.entries.back().id < id))) {
      refuseFile(path, "its ids are not ids of its slot in ascending order, so it is damaged");
    }
    result.entries.add(Entry{kj::mv(id), reader.bytesOf<WrappedKey>()});
  }
  if (reader.remaining() != sizeof(Seal)) {
    refuseFile(path, "its size is not that of the keys that it counts, so it is damaged");
  }
  return result;
}

kj::String nodeFileName(uint64_t number) {
  return kj::str(NODE_FILE_PREFIX, number);
}

kj::Array<kj::byte> nodeKeyContext(uint64_t number, kj::StringPtr id) {
  LayoutWriter writer;
  writer.bytes(MAGIC.asBytes());
  writer.number(VERSION);
  writer.number(number);
  writer.number(static_cast<uint8_t>(id.size()));
  writer.bytes(id.asBytes());
  return writer.finish();
}

}  // namespace bothy
