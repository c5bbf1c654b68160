#pragma once

#include <kj/refcount.h>

#include "volume/memory-seal.h"
#include "volume/volume-directory.h"

namespace bothy {

// What machines' memory is kept in while they sleep: files `ID.memory` beside the disks, raw data in LUKS.  Calls block; README.md tells
// the order of each.
class MemoryDirectory final: public kj::AtomicRefcounted {
public:
  MemoryDirectory(kj::Own<const VolumeDirectory> volumes, MessageCode code)
      : volumes(kj::mv(volumes)), code(code) {}

  // As VolumeStore has them.
  void create(kj::StringPtr id, uint64_t bytes, const Secret& key) const;
  uint64_t seal(kj::StringPtr id, uint64_t generation, const Secret& key) const;
  void check(kj::StringPtr id, uint64_t generation, const Secret& key) const;
  void destroy(kj::StringPtr id) const;
  kj::String pathOf(kj::StringPtr id) const;

private:
  kj::Own<const VolumeDirectory> volumes;
  const MessageCode code;

  void sync() const;
};

}  // namespace bothy
