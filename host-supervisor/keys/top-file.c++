#include "keys/top-file.h"

#include <kj/debug.h>

#include "keys/byte-layout.h"
#include "keys/file-content.h"
#include "keys/node-file.h"

namespace bothy {
namespace {

constexpr kj::StringPtr MAGIC = "BOTHYTOP"_kj;
constexpr uint16_t VERSION = 1;

}  // namespace

kj::Array<kj::byte> TopFile::encode(const Secret& topKey) const {
  KJ_REQUIRE(wrapped.size() <= MAX_ROOT_WRAPPED_BYTES);
  LayoutWriter writer;
  writer.header(MAGIC, VERSION);
  writer.number(epoch);
  writer.number(nextNumber);
  writer.number(static_cast<uint16_t>(wrapped.size()));
  writer.bytes(wrapped);
  writer.number(static_cast<uint32_t>(nodes.size()));
  for (auto& node : nodes) {
    writer.number(node.number);
    writer.number(node.slot);
    writer.bytes(asBytes(node.wrapped));
  }
  writer.setLength(writer.written().size() + sizeof(Seal));
  auto seal = KeyWrapper(topKey).seal(writer.written());
  writer.bytes(asBytes(seal));
  return writer.finish();
}

kj::ArrayPtr<const kj::byte> TopFile::contentOf(kj::ArrayPtr<const kj::byte> copy,
                                                kj::StringPtr path) {
  return contentIn(copy, path, MAGIC, VERSION);
}

TopFile TopFile::decode(kj::ArrayPtr<const kj::byte> copy, kj::StringPtr path) {
  LayoutReader reader(contentOf(copy, path), path);
  reader.bytes(CONTENT_HEADER_BYTES);
  TopFile result;
  result.epoch = reader.number<uint64_t>();
  result.nextNumber = reader.number<uint64_t>();
  size_t wrappedBytes = reader.number<uint16_t>();
  if (wrappedBytes > MAX_ROOT_WRAPPED_BYTES) {
    refuseFile(path, kj::str("its key has ", wrappedBytes, " bytes; the limit is ",
                             MAX_ROOT_WRAPPED_BYTES));
  }
  result.wrapped = kj::heapArray(reader.bytes(wrappedBytes));
  auto count = reader.number<uint32_t>();
  if (count > MAX_NODES) {
    refuseFile(path, kj::str("it counts ", count, " nodes; the limit is ", MAX_NODES));
  }
  uint64_t last = 0;
  result.nodes.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    auto number = reader.number<uint64_t>();
    auto slot = reader.number<uint16_t>();
    if (number <= last || number >= result.nextNumber || slot >= NODE_SLOTS) {
      refuseFile(path, "its nodes are not nodes in ascending order, so it is damaged");
    }
    last = number;
    result.nodes.add(Node{number, slot, reader.bytesOf<WrappedKey>()});
  }
  if (reader.remaining() != sizeof(Seal)) {
    refuseFile(path, "its size is not that of the nodes that it counts, so it is damaged");
  }
  return result;
}

kj::Array<kj::byte> topKeyContext(uint64_t epoch) {
  LayoutWriter writer;
  writer.bytes(MAGIC.asBytes());
  writer.number(VERSION);
  writer.number(epoch);
  return writer.finish();
}

kj::Array<kj::byte> nodeContext(uint64_t epoch, uint64_t number, uint16_t slot) {
  LayoutWriter writer;
  writer.bytes(MAGIC.asBytes());
  writer.number(VERSION);
  writer.number(epoch);
  writer.number(number);
  writer.number(slot);
  return writer.finish();
}

}  // namespace bothy
