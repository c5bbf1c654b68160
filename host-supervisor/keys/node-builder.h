#pragma once

#include "keys/tree-state.h"

namespace bothy {

// A new node with a new key, filled key by key.
class NodeBuilder final {
public:
  NodeBuilder(uint64_t number, uint16_t slot);

  // In ascending order of ids.
  void add(kj::StringPtr id, const Secret& key);

  struct Built {
    TreeState::Node node;
    // Of its file.
    kj::Array<kj::byte> content;
  };
  // Its key under the top's of `epoch`.
  Built finish(KeyWrapper& top, uint64_t epoch);

private:
  NodeFile file;
  Secret key;
  KeyWrapper wrapper;
};

}  // namespace bothy
