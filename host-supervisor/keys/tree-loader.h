#pragma once

#include "keys/file-replacer.h"
#include "keys/key-root.h"
#include "keys/keyring-file.h"
#include "keys/tree-change.h"

namespace bothy {

// Reads the files of a key tree, and ends what a crash or a failure has left half done.
class TreeLoader final {
public:
  TreeLoader(KeyFiles& files, KeyRoot& root);

  enum class IfMissing { MAKE, REFUSE };

  struct Loaded {
    TreeState state;
    // Whether a copy within the top is damaged: it wants to be written again.
    bool isTopDamaged = false;
    // Nodes of which one copy is damaged: they want to be written again.
    kj::Vector<size_t> damagedNodes;
    // Nodes that cannot be read and that somebody gave up.
    kj::Vector<size_t> lostNodes;
    // The keys of a keyring of before the tree: not written yet.
    kj::Maybe<ChangedTree> takenOver;
  };
  // What is there, or, where nothing is, a new tree.  Throws, and changes nothing, if what is there cannot
  // be used.
  Loaded load(IfMissing ifMissing);

  // Overwrites and removes nodes that the state does not name.
  void removeStrays(const TreeState& state);
  // Overwrites and removes the keyring of before the tree.
  void removeOldKeyring();

private:
  struct Top {
    TopFile file;
    Secret key;
  };

  KeyFiles& files;
  KeyRoot& root;
  FileReplacer replacer;

  Top readTop(kj::ArrayPtr<const kj::byte> copy, kj::ArrayPtr<const uint64_t> epochs);
  Loaded read(kj::ArrayPtr<const kj::byte> top);
  void readNode(Loaded& loaded, const TopFile::Node& node);
  TreeState make(kj::ArrayPtr<const uint64_t> epochs, bool hasPlaceholder);
  Loaded takeOver(kj::ArrayPtr<const kj::byte> keyring);
  ChangedTree convert(const KeyringFile& keyring);
  void requireNoNodes();
  void keepOnly(uint64_t epoch);
};

}  // namespace bothy
