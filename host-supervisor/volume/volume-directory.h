#pragma once

#include <stdint.h>

#include <kj/io.h>
#include <kj/refcount.h>
#include <kj/string.h>

#include "volume/volume-store.h"

namespace bothy {

// The directory in which volumes are, and what is done with their names.  Calls block.  It has no state but
// the directory, so any thread may use it; README.md tells the order of each operation.
class VolumeDirectory final: public kj::AtomicRefcounted {
public:
  // `path` is absolute; made if it is missing.
  explicit VolumeDirectory(kj::StringPtr path);

  // As VolumeStore has them.
  void create(kj::StringPtr id, uint64_t bytes, const Secret& key) const;
  void give(kj::StringPtr id, uint32_t uid) const;
  void reclaim(kj::StringPtr id) const;
  void grow(kj::StringPtr id, uint64_t bytes) const;
  void check(kj::StringPtr id, uint64_t bytes) const;
  void requireRoom() const;
  uint64_t freeBytes() const;
  void destroy(kj::StringPtr id) const;
  kj::String pathOf(kj::StringPtr id) const;
  kj::Array<VolumeStore::Listed> list() const;
  // What names there are is durable after this.
  void syncNames() const { sync(); }

private:
  kj::String path;
  kj::AutoCloseFd directoryFd;

  kj::Maybe<uint32_t> userOf(kj::StringPtr name) const;
  void requireSpace(uint64_t bytes) const;
  void destroyFile(kj::StringPtr name) const;
  void remove(kj::StringPtr name) const;
  void sync() const;
};

// Kept free on the host's disk when a volume is made or grows: a host without a free byte cannot even delete.
constexpr uint64_t HOST_RESERVE_BYTES = 256ull * 1024 * 1024;

// Without so much nothing is begun: a machine would stand still at one of its first writes, and a key that is made
// could not be destroyed again.
constexpr uint64_t LEAST_ROOM_BYTES = 64ull * 1024 * 1024;

constexpr size_t MAX_VOLUME_ID_BYTES = 63;

// See MemoryDirectory.
constexpr kj::StringPtr MEMORY_SUFFIX = ".memory"_kj;

}  // namespace bothy
