#pragma once

#include <stdint.h>

#include <kj/vector.h>

#include "keys/key-id.h"
#include "keys/key-wrapper.h"
#include "keys/twin-content.h"

namespace bothy {

// Into how many slots ids are spread, by a hash.
constexpr uint16_t NODE_SLOTS = 512;
constexpr size_t MAX_NODE_KEYS = 512;

uint16_t slotOf(kj::StringPtr id);

// A node of the key tree: the keys of some ids of one slot, under the node's own key.  A number belongs
// to one node that counts only, and no such node ever changes: another takes its place.
struct NodeFile {
  struct Entry {
    kj::String id;
    WrappedKey wrapped;
  };

  uint64_t number = 0;
  uint16_t slot = 0;
  // In ascending order of ids.
  kj::Vector<Entry> entries;

  kj::Maybe<const WrappedKey&> find(kj::StringPtr id) const;

  // Sealed with the node's key.
  kj::Array<kj::byte> encode(const Secret& nodeKey) const;
  // Refuses what is damaged, or not sealed with this key, naming `path`.
  static NodeFile decode(kj::ArrayPtr<const kj::byte> copy, kj::StringPtr path,
                         const Secret& nodeKey);
};

// The file of a node: `node-NUMBER`.
kj::String nodeFileName(uint64_t number);
constexpr kj::StringPtr NODE_FILE_PREFIX = "node-"_kj;
// Behind that name, a file of any content: whoever makes it gives a node up that cannot be read.
constexpr kj::StringPtr LOST_SUFFIX = ".lost"_kj;

// What a key in a node is bound to.
kj::Array<kj::byte> nodeKeyContext(uint64_t number, kj::StringPtr id);

constexpr size_t NODE_HEADER_BYTES = CONTENT_HEADER_BYTES + 8 + 2 + 4;
constexpr size_t MAX_NODE_FILE_BYTES = twinBytes(
    NODE_HEADER_BYTES + MAX_NODE_KEYS * (1 + MAX_KEY_ID_BYTES + sizeof(WrappedKey)) + sizeof(Seal));

}  // namespace bothy
