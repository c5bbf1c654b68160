#pragma once

#include <stdint.h>

#include <kj/vector.h>

#include "keys/key-root.h"
#include "keys/key-wrapper.h"
#include "keys/twin-content.h"

namespace bothy {

constexpr size_t MAX_NODES = 4096;

// The top of the key tree: the key of each node under the top's own key, which the root wraps.
struct TopFile {
  struct Node {
    uint64_t number;
    uint16_t slot;
    WrappedKey wrapped;
  };

  // Of the root's key that the top's key is wrapped under.  0: a keyring is being made, and this holds nothing.
  uint64_t epoch = 0;
  // Of the next node.
  uint64_t nextNumber = 1;
  kj::Array<kj::byte> wrapped;
  // In ascending order of numbers.
  kj::Vector<Node> nodes;

  // Sealed with the top's key.
  kj::Array<kj::byte> encode(const Secret& topKey) const;
  // Refuses what is damaged, naming `path`.  The seal is not looked at: endsWithSealOf() of contentOf().
  static TopFile decode(kj::ArrayPtr<const kj::byte> copy, kj::StringPtr path);
  static kj::ArrayPtr<const kj::byte> contentOf(kj::ArrayPtr<const kj::byte> copy,
                                                kj::StringPtr path);
};

constexpr kj::StringPtr TOP_FILE = "top"_kj;

// What the top's key is bound to.
kj::Array<kj::byte> topKeyContext(uint64_t epoch);
// What a node's key is bound to.
kj::Array<kj::byte> nodeContext(uint64_t epoch, uint64_t number, uint16_t slot);

constexpr size_t TOP_HEADER_BYTES = CONTENT_HEADER_BYTES + 8 + 8 + 2;
constexpr size_t TOP_NODE_BYTES = 8 + 2 + sizeof(WrappedKey);
constexpr size_t MAX_TOP_FILE_BYTES = twinBytes(TOP_HEADER_BYTES + MAX_ROOT_WRAPPED_BYTES + 4 +
                                                MAX_NODES * TOP_NODE_BYTES + sizeof(Seal));

}  // namespace bothy
