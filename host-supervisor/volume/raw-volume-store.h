#pragma once

#include <kj/filesystem.h>

#include "volume/volume-store.h"

namespace bothy {

// Volumes as plain sparse files `ID.raw`, mode 0600, owned by the VM's user, in one directory (0700).
class RawVolumeStore final: public VolumeStore {
public:
  // `directory` is absolute; made if it is missing.
  explicit RawVolumeStore(kj::StringPtr directory);
  KJ_DISALLOW_COPY_AND_MOVE(RawVolumeStore);

  kj::Promise<void> create(kj::StringPtr id, uint64_t bytes, uint32_t uid) override;
  kj::Promise<void> destroy(kj::StringPtr id) override;
  kj::String path(kj::StringPtr id) override;
  kj::Promise<kj::Array<kj::String>> removeStrays(kj::ArrayPtr<const kj::StringPtr> known) override;

private:
  kj::String directory;
  kj::AutoCloseFd directoryFd;

  uint64_t freeBytes() const;
  void sync() const;
};

// Kept free on the host's disk when a volume is made: a host without a free byte cannot even delete.
constexpr uint64_t HOST_RESERVE_BYTES = 256ull * 1024 * 1024;

}  // namespace bothy
