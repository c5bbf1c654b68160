#pragma once

#include <memory>
#include <vector>

#include "keys/node-file.h"
#include "keys/top-file.h"

namespace bothy {

constexpr size_t MAX_KEYS = 200'000;

// What the files of a key tree say.
struct TreeState {
  // What is in a node, or why that cannot be read.
  struct Content {
    NodeFile node;
    kj::Maybe<kj::String> damage;
  };
  struct Node {
    uint64_t number;
    uint16_t slot;
    // Under the top's key.
    WrappedKey wrapped;
    // Shared by the states that have this node.
    std::shared_ptr<const Content> content;

    bool isReadable() const { return content->damage == nullptr; }
  };

  uint64_t epoch = 0;
  uint64_t nextNumber = 1;
  // The top's key.
  Secret key{KEY_BYTES};
  // In ascending order of numbers.
  std::vector<Node> nodes;
  size_t keyCount = 0;

  // Throws, naming the id and the node, if a node's key is not what it should be.
  Secret nodeKey(const Node& node) const;

  // The readable node that has this id.
  kj::Maybe<size_t> find(kj::StringPtr id) const;
  // A node that may have this id and cannot be read.
  kj::Maybe<const Node&> damagedNodeOf(kj::StringPtr id) const;

  // `wrapped` is the top's key as the root wrapped it.
  TopFile top(kj::Array<kj::byte> wrapped) const;
};

}  // namespace bothy
