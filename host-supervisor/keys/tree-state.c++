#include "keys/tree-state.h"

#include <kj/debug.h>

namespace bothy {

Secret TreeState::nodeKey(const Node& node) const {
  Secret result(KEY_BYTES);
  KJ_REQUIRE(
      KeyWrapper(key).unwrap(node.wrapped, nodeContext(epoch, node.number, node.slot), result),
      "the key of a node does not open under the top's", node.number);
  return result;
}

kj::Maybe<size_t> TreeState::find(kj::StringPtr id) const {
  auto slot = slotOf(id);
  // From the newest: an older one was not readable when this one got the id.
  for (size_t i = nodes.size(); i > 0; --i) {
    auto& node = nodes[i - 1];
    if (node.slot == slot && node.isReadable() && node.content->node.find(id) != nullptr) {
      return i - 1;
    }
  }
  return nullptr;
}

kj::Maybe<const TreeState::Node&> TreeState::damagedNodeOf(kj::StringPtr id) const {
  auto slot = slotOf(id);
  for (auto& node : nodes) {
    if (node.slot == slot && !node.isReadable()) return node;
  }
  return nullptr;
}

TopFile TreeState::top(kj::Array<kj::byte> wrapped) const {
  TopFile file;
  file.epoch = epoch;
  file.nextNumber = nextNumber;
  file.wrapped = kj::mv(wrapped);
  file.nodes.reserve(nodes.size());
  for (auto& node : nodes) file.nodes.add(TopFile::Node{node.number, node.slot, node.wrapped});
  return file;
}

}  // namespace bothy
