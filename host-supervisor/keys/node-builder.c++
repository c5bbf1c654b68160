#include "keys/node-builder.h"

#include <kj/debug.h>

namespace bothy {

NodeBuilder::NodeBuilder(uint64_t number, uint16_t slot) : key(randomKey()), wrapper(key) {
  file.number = number;
  file.slot = slot;
}

void NodeBuilder::add(kj::StringPtr id, const Secret& newKey) {
  KJ_REQUIRE(file.entries.size() < MAX_NODE_KEYS);
  file.entries.add(
      NodeFile::Entry{kj::heapString(id), wrapper.wrap(newKey, nodeKeyContext(file.number, id))});
}

NodeBuilder::Built NodeBuilder::finish(KeyWrapper& top, uint64_t epoch) {
  auto content = twinOf(file.encode(key));
  auto wrapped = top.wrap(key, nodeContext(epoch, file.number, file.slot));
  TreeState::Node node{file.number, file.slot, wrapped, nullptr};
  node.content =
      std::make_shared<const TreeState::Content>(TreeState::Content{kj::mv(file), nullptr});
  return {kj::mv(node), kj::mv(content)};
}

}  // namespace bothy
