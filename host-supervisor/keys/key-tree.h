#pragma once

#include "keys/tree-loader.h"

namespace bothy {

// A change of one key that somebody waits for.
struct KeyChange {
  enum class Kind { CREATE, DESTROY };

  Kind kind;
  kj::String id;
  // Set by KeyTree::apply() where it failed.
  kj::Maybe<kj::Exception> failure;
};

// The keys of a directory in nodes, under the key of an epoch that a root keeps: README.md tells the files,
// the order of what is done to them and what that promises.  Everything is done when a call returns, on the
// thread that calls; one call at a time.
class KeyTree final {
public:
  // Opens what is there, takes over a keyring of before the tree, or makes a new one.  Throws, and changes
  // nothing, if what is there cannot be opened.  A node that cannot be read costs its keys alone.
  KeyTree(kj::Own<KeyFiles> files, kj::Own<KeyRoot> root);

  // Makes all these changes in their order as one: those that cannot be are left out, and say why.  The
  // others are all done, or all fail and nothing has changed.
  void apply(kj::ArrayPtr<KeyChange* const> changes);
  Secret open(kj::StringPtr id) const;
  kj::Array<kj::String> list() const;

  uint64_t epoch() const { return state.epoch; }

private:
  kj::Own<KeyFiles> files;
  kj::Own<KeyRoot> root;
  FileReplacer replacer;
  TreeLoader loader;
  TreeState state;
  // False from the begin of a change to its good end.  Then the next change first reads the files again and
  // ends what was begun.
  bool isSettled = false;

  // Reads the files unless that is settled, and mends what is damaged, where it can.
  void settle(TreeLoader::IfMissing ifMissing);
  TreeLoader::Loaded load(TreeLoader::IfMissing ifMissing);
  void mend(const TreeLoader::Loaded& loaded);
  void apply(TreeChange& change, KeyChange& wanted);
  void commit(ChangedTree changed);
  void replaceTop(const ChangedTree& changed);
  void destroyOldEpochs(const ChangedTree& changed);
  void takeBackNodes(const ChangedTree& changed);
  void discardOld(kj::ArrayPtr<const uint64_t> nodes);
};

}  // namespace bothy
