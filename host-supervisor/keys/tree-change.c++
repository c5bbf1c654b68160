#include "keys/tree-change.h"

#include <kj/debug.h>

#include <algorithm>

#include "secret/random-bytes.h"

namespace bothy {

TreeChange::TreeChange(const TreeState& before) : before(before), keyCount(before.keyCount) {}

TreeChange::Edit& TreeChange::edit(size_t node) {
  auto [place, isNew] = editOfNode.emplace(node, edits.size());
  if (isNew) {
    auto& old = before.nodes[node];
    KJ_REQUIRE(old.isReadable());
    Edit edit{node, old.slot, {}};
    std::vector<const NodeFile*> newerNodes;
    for (size_t i = node + 1; i < before.nodes.size(); ++i) {
      auto& newer = before.nodes[i];
      if (newer.slot == old.slot && newer.isReadable()) newerNodes.push_back(&newer.content->node);
    }
    for (auto& entry : old.content->node.entries) {
      // The node that this becomes would be newer than the one that has the key which counts.
      if (std::any_of(newerNodes.begin(), newerNodes.end(),
                      [&](auto newer) { return newer->find(entry.id) != nullptr; })) {
        --keyCount;
        continue;
      }
      edit.keys.emplace_hint(edit.keys.end(), entry.id.cStr(), &entry.wrapped);
    }
    edits.push_back(kj::mv(edit));
  }
  return edits[place->second];
}

kj::Maybe<TreeChange::Edit&> TreeChange::find(kj::StringPtr id) {
  auto slot = slotOf(id);
  for (auto& edit : edits) {
    if (edit.slot == slot && edit.keys.count(id.cStr()) > 0) return edit;
  }
  KJ_IF_MAYBE (node, before.find(id)) {
    if (editOfNode.count(*node) == 0) return edit(*node);
  }
  return nullptr;
}

TreeChange::Edit& TreeChange::placeFor(kj::StringPtr id) {
  auto slot = slotOf(id);
  for (auto& edit : edits) {
    if (edit.slot == slot && edit.keys.size() < MAX_NODE_KEYS) return edit;
  }
  for (size_t i = 0; i < before.nodes.size(); ++i) {
    auto& node = before.nodes[i];
    if (node.slot == slot && node.isReadable() && editOfNode.count(i) == 0 &&
        node.content->node.entries.size() < MAX_NODE_KEYS) {
      return edit(i);
    }
  }
  edits.push_back(Edit{nullptr, slot, {}});
  return edits.back();
}

void TreeChange::create(kj::StringPtr id) {
  requireKeyId(id);
  KJ_IF_MAYBE (place, find(id)) {
    place->keys[id.cStr()] = nullptr;
    return;
  }
  if (keyCount >= MAX_KEYS || before.nodes.size() + edits.size() >= MAX_NODES) {
    kj::throwFatalException(KJ_EXCEPTION(OVERLOADED, "the keyring is full", MAX_KEYS, id));
  }
  placeFor(id).keys.emplace(id.cStr(), nullptr);
  ++keyCount;
}

void TreeChange::destroy(kj::StringPtr id) {
  requireKeyId(id);
  // Older nodes that have one too lose it by being edited.
  auto slot = slotOf(id);
  for (size_t i = 0; i < before.nodes.size(); ++i) {
    auto& node = before.nodes[i];
    if (node.slot == slot && node.isReadable() && node.content->node.find(id) != nullptr) edit(i);
  }
  KJ_IF_MAYBE (place, find(id)) {
    place->keys.erase(id.cStr());
    --keyCount;
    // One that this change itself has made was never written.
    if (before.find(id) != nullptr) endsEpoch = true;
    return;
  }
  KJ_IF_MAYBE (node, before.damagedNodeOf(id)) {
    auto& damage = KJ_ASSERT_NONNULL(node->content->damage);
    kj::throwFatalException(KJ_EXCEPTION(FAILED,
                                         "whether this id has a key is not known: restore a copy "
                                         "of the file and start bothyd again, or "
                                         "make a file of its name with .lost behind it and start "
                                         "it again to give up all keys of that "
                                         "node",
                                         id, damage));
  }
}

void TreeChange::rewrite(size_t node) {
  edit(node);
}

void TreeChange::giveUp(size_t node) {
  KJ_REQUIRE(!before.nodes[node].isReadable());
  givenUp.push_back(node);
  endsEpoch = true;
}

bool TreeChange::isReplaced(size_t node) const {
  return editOfNode.count(node) > 0 ||
         std::find(givenUp.begin(), givenUp.end(), node) != givenUp.end();
}

ChangedTree TreeChange::finish() {
  ChangedTree changed{TreeState{before.epoch + (endsEpoch ? 1 : 0),
                                before.nextNumber,
                                endsEpoch ? randomKey() : before.key.clone(),
                                {},
                                keyCount},
                      endsEpoch,
                      {},
                      {}};
  auto& next = changed.state;
  KeyWrapper from(before.key);
  KeyWrapper top(next.key);
  Secret scratch(KEY_BYTES);
  next.nodes.reserve(before.nodes.size() + edits.size());
  for (size_t i = 0; i < before.nodes.size(); ++i) {
    auto node = before.nodes[i];
    if (isReplaced(i)) {
      changed.oldNodes.add(node.number);
      continue;
    }
    if (endsEpoch) {
      KJ_REQUIRE(
          from.unwrap(node.wrapped, nodeContext(before.epoch, node.number, node.slot), scratch),
          "the key of a node does not open under the top's", node.number);
      node.wrapped = top.wrap(scratch, nodeContext(next.epoch, node.number, node.slot));
    }
    next.nodes.push_back(kj::mv(node));
  }
  for (auto& edit : edits) {
    if (!edit.keys.empty()) add(changed, edit, top);
  }
  return changed;
}

void TreeChange::add(ChangedTree& changed, const Edit& edit, KeyWrapper& top) {
  NodeBuilder builder(changed.state.nextNumber++, edit.slot);
  Secret key(KEY_BYTES);
  kj::Maybe<Secret> oldKey;
  kj::Maybe<KeyWrapper> from;
  uint64_t oldNumber = 0;
  KJ_IF_MAYBE (index, edit.before) {
    auto& old = before.nodes[*index];
    oldNumber = old.number;
    from.emplace(oldKey.emplace(before.nodeKey(old)));
  }
  for (auto& [text, wrapped] : edit.keys) {
    kj::StringPtr id(text.c_str(), text.size());
    if (wrapped == nullptr) {
      fillRandom(key.bytes());
    } else {
      KJ_REQUIRE(KJ_ASSERT_NONNULL(from).unwrap(*wrapped, nodeKeyContext(oldNumber, id), key),
                 "the key of this id is damaged", id);
    }
    builder.add(id, key);
  }
  auto built = builder.finish(top, changed.state.epoch);
  changed.newNodes.add(ChangedTree::File{built.node.number, kj::mv(built.content)});
  changed.state.nodes.push_back(kj::mv(built.node));
}

}  // namespace bothy
