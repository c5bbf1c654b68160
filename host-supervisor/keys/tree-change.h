#pragma once

#include <map>
#include <string>

#include "keys/node-builder.h"

namespace bothy {

// What a change makes of a key tree.
struct ChangedTree {
  struct File {
    uint64_t number;
    kj::Array<kj::byte> content;
  };

  TreeState state;
  // Whether the state is of another epoch: something was destroyed.
  bool endsEpoch;
  // To be written before the top.
  kj::Vector<File> newNodes;
  // The numbers of nodes that the top names no longer.
  kj::Vector<uint64_t> oldNodes;
};

// Collects what is to change in a tree, which goes on as it is meanwhile.  Each node that is touched becomes
// another with a new number and key; where a key is destroyed, so does the top's key, and with it the epoch.
class TreeChange final {
public:
  // `before` outlives this.
  explicit TreeChange(const TreeState& before);

  // Each throws where it cannot be, and has then added nothing.
  void create(kj::StringPtr id);
  // None is success, unless a node that may have it cannot be read.
  void destroy(kj::StringPtr id);

  // The same keys in another file.  A node that can be read.
  void rewrite(size_t node);
  // All its keys, whichever they are.  A node that cannot be read.
  void giveUp(size_t node);

  bool isEmpty() const { return edits.empty() && givenUp.empty(); }
  ChangedTree finish();

private:
  struct Edit {
    // The node in `before` that it replaces.
    kj::Maybe<size_t> before;
    uint16_t slot;
    // Each id with its key in that node; null for a new random key.
    std::map<std::string, const WrappedKey*> keys;
  };

  const TreeState& before;
  std::vector<Edit> edits;
  // By the node that is replaced.
  std::map<size_t, size_t> editOfNode;
  std::vector<size_t> givenUp;
  size_t keyCount;
  bool endsEpoch = false;

  Edit& edit(size_t node);
  kj::Maybe<Edit&> find(kj::StringPtr id);
  Edit& placeFor(kj::StringPtr id);
  bool isReplaced(size_t node) const;
  void add(ChangedTree& changed, const Edit& edit, KeyWrapper& top);
};

}  // namespace bothy
