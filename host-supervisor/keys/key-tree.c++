#include "keys/key-tree.h"

#include <kj/debug.h>

#include "keys/file-content.h"

namespace bothy {

KeyTree::KeyTree(kj::Own<KeyFiles> files, kj::Own<KeyRoot> root)
    : files(kj::mv(files)),
      root(kj::mv(root)),
      replacer(*this->files),
      loader(*this->files, *this->root) {
  settle(TreeLoader::IfMissing::MAKE);
}

void KeyTree::settle(TreeLoader::IfMissing ifMissing) {
  if (!isSettled) mend(load(ifMissing));
}

TreeLoader::Loaded KeyTree::load(TreeLoader::IfMissing ifMissing) {
  auto loaded = loader.load(ifMissing);
  state = kj::mv(loaded.state);
  isSettled = true;
  KJ_IF_MAYBE (takenOver, loaded.takenOver) {
    commit(kj::mv(*takenOver));
    loader.removeOldKeyring();
  }
  return loaded;
}

// What was damaged in one place is whole, and can be until the next start.
void KeyTree::mend(const TreeLoader::Loaded& loaded) {
  KJ_IF_MAYBE (problem, kj::runCatchingExceptions([&]() {
                 TreeChange change(state);
                 for (auto node : loaded.damagedNodes) change.rewrite(node);
                 for (auto node : loaded.lostNodes) change.giveUp(node);
                 if (!change.isEmpty() || loaded.isTopDamaged) commit(change.finish());
                 if (loaded.lostNodes.size() > 0) loader.removeStrays(state);
               })) {
    KJ_LOG(ERROR, "damage of the keyring could not be mended", files->path(TOP_FILE), *problem);
  }
}

void KeyTree::apply(kj::ArrayPtr<KeyChange* const> changes) {
  KJ_IF_MAYBE (failure, kj::runCatchingExceptions([&]() {
                 settle(TreeLoader::IfMissing::REFUSE);
                 // Where mending was broken off, its top may be the one that counts.
                 if (!isSettled) load(TreeLoader::IfMissing::REFUSE);
                 TreeChange change(state);
                 for (auto wanted : changes) apply(change, *wanted);
                 if (!change.isEmpty()) commit(change.finish());
               })) {
    for (auto wanted : changes) {
      if (wanted->failure == nullptr) wanted->failure = kj::cp(*failure);
    }
  }
}

void KeyTree::apply(TreeChange& change, KeyChange& wanted) {
  wanted.failure = kj::runCatchingExceptions([&]() {
    switch (wanted.kind) {
      case KeyChange::Kind::CREATE:
        change.create(wanted.id);
        break;
      case KeyChange::Kind::DESTROY:
        change.destroy(wanted.id);
        break;
    }
  });
}

void KeyTree::commit(ChangedTree changed) {
  isSettled = false;
  replaceTop(changed);
  if (changed.endsEpoch) destroyOldEpochs(changed);
  state = kj::mv(changed.state);
  discardOld(changed.oldNodes);
}

// Until the top is replaced, the old one counts, and the nodes that it names are as they were.
void KeyTree::replaceTop(const ChangedTree& changed) {
  auto& next = changed.state;
  auto left = FileReplacer::Left::OLD;
  KJ_IF_MAYBE (cause, kj::runCatchingExceptions([&]() {
                 for (auto& file : changed.newNodes) {
                   files->write(nodeFileName(file.number), file.content);
                 }
                 // A failure from here on leaves a master too many, no more.
                 if (changed.endsEpoch) root->make(next.epoch);
                 auto wrapped = root->wrap(next.epoch, next.key, topKeyContext(next.epoch));
                 auto top = twinOf(next.top(kj::mv(wrapped)).encode(next.key));
                 // The nodes' names must be durable before one that names them.
                 files->syncDirectory();
                 KJ_IF_MAYBE (failure, replacer.tryReplace(TOP_FILE, top)) {
                   left = failure->left;
                   kj::throwFatalException(kj::mv(failure->cause));
                 }
               })) {
    if (left == FileReplacer::Left::OLD) takeBackNodes(changed);
    kj::throwFatalException(kj::mv(*cause));
  }
}

// The new top counts.
void KeyTree::destroyOldEpochs(const ChangedTree& changed) {
  KJ_IF_MAYBE (failure, root->tryKeepOnly(changed.state.epoch)) {
    // Where nobody knows which keys the root has, the new top is the one that opens with any.
    if (failure->isKept) {
      KJ_IF_MAYBE (problem, kj::runCatchingExceptions([&]() { replacer.restore(TOP_FILE); })) {
        KJ_LOG(ERROR, "the top of the keyring could not be put back", files->path(TOP_FILE),
               *problem);
      } else {
        takeBackNodes(changed);
      }
    }
    kj::throwFatalException(kj::mv(failure->cause));
  }
}

void KeyTree::takeBackNodes(const ChangedTree& changed) {
  KJ_IF_MAYBE (problem, kj::runCatchingExceptions([&]() {
                 for (auto& file : changed.newNodes) {
                   auto name = nodeFileName(file.number);
                   files->wipe(name);
                   files->remove(name);
                 }
               })) {
    KJ_LOG(WARNING, "nodes of the keyring that count no more stay until the next change", *problem);
  }
}

// They open nothing that is not in the new ones, but for what create() replaced; so this may wait.
void KeyTree::discardOld(kj::ArrayPtr<const uint64_t> nodes) {
  KJ_IF_MAYBE (problem, kj::runCatchingExceptions([&]() {
                 replacer.discardOld(TOP_FILE);
                 for (auto number : nodes) {
                   auto name = nodeFileName(number);
                   files->wipe(name);
                   files->remove(name);
                 }
               })) {
    KJ_LOG(WARNING, "old files of the keyring stay until the next change", *problem);
  } else {
    isSettled = true;
  }
}

Secret KeyTree::open(kj::StringPtr id) const {
  requireKeyId(id);
  KJ_IF_MAYBE (index, state.find(id)) {
    auto& node = state.nodes[*index];
    auto nodeKey = state.nodeKey(node);
    Secret key(KEY_BYTES);
    KJ_REQUIRE(KeyWrapper(nodeKey).unwrap(KJ_ASSERT_NONNULL(node.content->node.find(id)),
                                          nodeKeyContext(node.number, id), key),
               "the key of this id is damaged", id);
    return key;
  }
  KJ_IF_MAYBE (node, state.damagedNodeOf(id)) {
    auto& damage = KJ_ASSERT_NONNULL(node->content->damage);
    KJ_FAIL_REQUIRE(
        "the key of this id cannot be read: restore a copy of the file and start bothyd again", id,
        damage);
  }
  KJ_FAIL_REQUIRE("there is no key of this id", id);
}

kj::Array<kj::String> KeyTree::list() const {
  auto ids = kj::heapArrayBuilder<kj::String>(state.keyCount);
  for (auto& node : state.nodes) {
    for (auto& entry : node.content->node.entries) ids.add(kj::heapString(entry.id));
  }
  return ids.finish();
}

}  // namespace bothy
